// A whole server without a process, a disk or a clock: service, core, journal in memory and an
// executor moved by hand, on an io_context the test polls.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/asio.h"
#include "control/service.h"
#include "support/hand_executor.h"
#include "support/manual_timers.h"
#include "support/memory_journal.h"

namespace mahavishnu::support {

class World {
 public:
  explicit World(control::ServiceOptions options = {}, domain::Snapshot snapshot = first_life(),
                 std::vector<domain::Restored::Found> found = {},
                 const MemoryJournal* former = nullptr)
      : journal(io.get_executor()) {
    if (former != nullptr) journal.take_over(*former);
    executor.found = std::move(found);
    service.emplace(io.get_executor(), std::move(options), timers, journal, journal,
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

  // Runs everything that can run without time moving.
  void poll() {
    io.restart();
    io.poll();
  }

  // Starts a call without waiting for it; `started` polls once.
  template <class T>
  std::shared_ptr<std::optional<T>> start(base::awaitable<T> call) {
    auto outcome = std::make_shared<std::optional<T>>();
    asio::co_spawn(io, std::move(call), [outcome](std::exception_ptr failed, T value) {
      if (failed) std::rethrow_exception(failed);
      outcome->emplace(std::move(value));
    });
    poll();
    return outcome;
  }

  // Runs a call that needs nothing but polling to end.
  template <class T>
  T run(base::awaitable<T> call) {
    auto outcome = start(std::move(call));
    if (!outcome->has_value()) throw std::runtime_error("the call did not end");
    return std::move(**outcome);
  }

  void advance(base::Millis by) {
    timers.advance(by);
    poll();
  }

  static control::Service::SubmitArgs command(std::string text) {
    control::Service::SubmitArgs args;
    args.spec.work.command = std::move(text);
    args.spec.caller = "test";
    return args;
  }

  asio::io_context io;
  ManualTimers timers;
  MemoryJournal journal;
  HandExecutor executor;
  HandExecutor callers;  // of tools
  std::optional<control::Service> service;
};

}  // namespace mahavishnu::support
