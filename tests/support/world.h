// A whole server without a process, a disk or a clock: service, core, journal in memory and an
// executor moved by hand, on an io_context the test polls.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/service.h"
#include "support/hand_executor.h"
#include "support/memory_journal.h"
#include "support/polled_loop.h"

namespace mahavishnu::support {

class World : public PolledLoop {
 public:
  explicit World(control::ServiceOptions options = {}, domain::Snapshot snapshot = first_life(),
                 std::vector<domain::Restored::Found> found = {},
                 const MemoryJournal* former = nullptr)
      : journal(io.get_executor()) {
    if (former != nullptr) journal.take_over(*former);
    executor.found = std::move(found);
    service.emplace(
        io.get_executor(), std::move(options), timers, journal, journal,
        std::map<std::string, domain::Executor*>{{"mcp", &callers}, {"shell", &executor}});
    auto index = domain::RepositoryIndex::build(
        {{"api", "/repos/api", {"a"}, {"node"}, "service", "The API"},
         {"web", "/repos/web", {}, {"node"}, "ui", ""},
         {"ops", "/repos/ops", {}, {"shell"}, "tool", ""}});
    service->set_repositories(*index);
    auto started = run(service->start(std::move(snapshot), 4));
    if (!started) throw std::runtime_error(started.error().message);
  }
  ~World() {
    service->stop();
    poll();
  }

  static domain::Snapshot first_life() {
    domain::Snapshot snapshot;
    snapshot.epoch = 1;
    return snapshot;
  }

  static control::Service::SubmitArgs command(std::string text) {
    control::Service::SubmitArgs args;
    args.spec.work.command = std::move(text);
    args.spec.caller = "test";
    return args;
  }

  MemoryJournal journal;
  HandExecutor executor;
  HandExecutor callers;  // of tools
  std::optional<control::Service> service;
};

}  // namespace mahavishnu::support
