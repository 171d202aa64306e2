// The graph of a workflow as cells: one a step and repository, or one a step that runs once.
//
// A plan is made once when the workflow is admitted (and again from its record after a restart) and
// never changes. Cells are numbered step by step in the order they were given, repositories within.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/types.h"

namespace mahavishnu::domain {

inline constexpr std::size_t kMaxSteps = 1000;
inline constexpr std::size_t kMaxCells = 100000;

struct Plan {
  struct Step {
    std::string id;
    std::vector<std::uint32_t> needs;  // steps
    std::vector<std::uint32_t> feeds;
    When when = When::Succeeded;
    Each each = Each::Repo;
    OnFailure on_failure = OnFailure::Stop;
    std::uint32_t first_cell = 0;
  };
  struct Cell {
    std::uint32_t step = 0;
    std::uint32_t repo = 0;  // meaningless for a step that runs once
  };

  std::vector<Step> steps;
  std::vector<std::uint32_t> order;  // steps, each after all it needs
  std::uint32_t repos = 0;
  std::uint32_t cells = 0;

  // InvalidArgument names the step and what is wrong with it; a cycle is spelled out.
  static Result<Plan> make(const WorkflowSpec& spec);

  std::uint32_t width(std::uint32_t step) const {
    return steps[step].each == Each::Repo ? repos : 1;
  }
  Cell cell(std::uint32_t number) const;
  std::uint32_t number(std::uint32_t step, std::uint32_t repo) const {
    return steps[step].first_cell + (steps[step].each == Each::Repo ? repo : 0);
  }

  // Calls `visit(cell)` for the cells of `other` that `cell` of `step` is joined to: the same
  // repository's, or all where one of the two runs once.
  template <class Visit>
  void joined(Cell cell, std::uint32_t other, Visit visit) const {
    if (steps[cell.step].each == Each::Repo || steps[other].each == Each::Once) {
      visit(number(other, cell.repo));
      return;
    }
    for (std::uint32_t repo = 0; repo < repos; ++repo) visit(number(other, repo));
  }
};

}  // namespace mahavishnu::domain
