#include "domain/planner.h"

#include <algorithm>
#include <unordered_map>

#include "domain/repositories.h"

namespace mahavishnu::domain {
namespace {

using StepNumbers = std::unordered_map<std::string, std::uint32_t>;  // looked up, never iterated

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

bool is_step_id(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

Result<StepNumbers> number_steps(const WorkflowSpec& spec) {
  StepNumbers numbers;
  for (std::uint32_t i = 0; i < spec.steps.size(); ++i) {
    const std::string& id = spec.steps[i].id;
    if (!is_step_id(id)) {
      return refuse("step id \"" + id + "\" is not one to 64 of A-Z a-z 0-9 _ . -");
    }
    if (!numbers.emplace(id, i).second) {
      return refuse("two steps are called \"" + id + "\"; rename one");
    }
  }
  return numbers;
}

Status join_steps(const WorkflowSpec& spec, const StepNumbers& numbers, Plan& plan) {
  for (std::uint32_t i = 0; i < spec.steps.size(); ++i) {
    for (const std::string& needed : spec.steps[i].depends_on) {
      const auto at = numbers.find(needed);
      if (at == numbers.end()) {
        std::vector<std::string> known;
        for (const StepSpec& step : spec.steps) known.push_back(step.id);
        const std::string near = nearest(needed, known);
        return refuse("step \"" + spec.steps[i].id + "\" depends on \"" + needed +
                      "\", which is no step" +
                      (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
      }
      auto& needs = plan.steps[i].needs;
      if (std::find(needs.begin(), needs.end(), at->second) != needs.end()) continue;
      needs.push_back(at->second);
      plan.steps[at->second].feeds.push_back(i);
    }
  }
  return {};
}

// Every step that is left needs one that is left, so walking along needs must come round.
std::string spell_cycle(const Plan& plan, const std::vector<std::uint32_t>& open) {
  std::uint32_t at = 0;
  while (open[at] == 0) ++at;
  std::vector<std::uint32_t> path;
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    for (const std::uint32_t needed : plan.steps[at].needs) {
      if (open[needed] == 0) continue;
      at = needed;
      break;
    }
  }
  std::string text = plan.steps[at].id;
  for (auto step = std::find(path.begin(), path.end(), at) + 1; step != path.end(); ++step) {
    text += " → " + plan.steps[*step].id;
  }
  return text + " → " + plan.steps[at].id;
}

// Kahn's order. `open` counts what each step still needs; whoever keeps a count is in a cycle or
// behind one.
Status order_steps(Plan& plan) {
  std::vector<std::uint32_t> open;
  for (std::uint32_t i = 0; i < plan.steps.size(); ++i) {
    open.push_back(static_cast<std::uint32_t>(plan.steps[i].needs.size()));
    if (open.back() == 0) plan.order.push_back(i);
  }
  for (std::size_t at = 0; at < plan.order.size(); ++at) {
    for (const std::uint32_t fed : plan.steps[plan.order[at]].feeds) {
      if (--open[fed] == 0) plan.order.push_back(fed);
    }
  }
  if (plan.order.size() == plan.steps.size()) return {};
  return refuse("the steps wait for each other in a circle: " + spell_cycle(plan, open));
}

Status number_cells(const WorkflowSpec& spec, Plan& plan) {
  std::size_t cells = 0;
  for (Plan::Step& step : plan.steps) {
    step.first_cell = static_cast<std::uint32_t>(cells);
    cells += step.each == Each::Repo ? spec.repos.size() : 1;
    if (cells > kMaxCells) {
      return refuse("the workflow is more than " + std::to_string(kMaxCells) +
                    " tasks (steps × repositories); split it");
    }
  }
  plan.cells = static_cast<std::uint32_t>(cells);
  return {};
}

}  // namespace

Result<Plan> Plan::make(const WorkflowSpec& spec) {
  if (spec.steps.empty()) return refuse("the workflow has no step; give at least one");
  if (spec.steps.size() > kMaxSteps) {
    return refuse("the workflow has " + std::to_string(spec.steps.size()) + " steps; at most " +
                  std::to_string(kMaxSteps) + " are allowed");
  }
  if (spec.repos.empty()) return refuse("the workflow has no repository to run over");
  auto numbers = number_steps(spec);
  if (!numbers) return fail(numbers.error());
  Plan plan;
  plan.repos = static_cast<std::uint32_t>(std::min(spec.repos.size(), kMaxCells + 1));
  for (const StepSpec& step : spec.steps) {
    plan.steps.push_back({step.id, {}, {}, step.when, step.each, step.on_failure, 0});
  }
  if (Status joined = join_steps(spec, *numbers, plan); !joined) return fail(joined.error());
  if (Status ordered = order_steps(plan); !ordered) return fail(ordered.error());
  if (Status counted = number_cells(spec, plan); !counted) return fail(counted.error());
  return plan;
}

Plan::Cell Plan::cell(std::uint32_t number) const {
  const auto after = std::upper_bound(
      steps.begin(), steps.end(), number,
      [](std::uint32_t value, const Step& step) { return value < step.first_cell; });
  const auto step = static_cast<std::uint32_t>(after - steps.begin() - 1);
  return {step, number - steps[step].first_cell};
}

}  // namespace mahavishnu::domain
