// Calls tools of other MCP servers: the executor of worker type `mcp`.
//
// A call is a process like any other attempt (docs/decisions/0173): this same program as
// `mahavishnu __mcp`, under a shim of the shell executor, which keeps its output, its time limits,
// its end and its lease. So here an order is only put into that form; everything else is passed on.
// What is called goes to the process on its stdin: arguments may be long, and others may read argv.
// Control thread only. Lifetime: within that of `shell`.
#pragma once

#include <string>
#include <utility>

#include "domain/ports.h"

namespace mahavishnu::workers {

class McpExecutor final : public domain::Executor {
 public:
  // `executable`: this program, as ShellOptions has it.
  McpExecutor(domain::Executor& shell, std::string executable)
      : shell_(shell), executable_(std::move(executable)) {}

  // Attempts are reported by the shell executor: whoever subscribes here subscribes there as well.
  void subscribe(Events) override {}
  // None of its own: those of a former life are found, and served, by the shell executor.
  void recover(
      std::function<void(base::Result<std::vector<domain::Restored::Found>>)> answer) override {
    answer(std::vector<domain::Restored::Found>());
  }
  void start(domain::AttemptOrder order) override;
  void stop(domain::Fence fence, domain::Reason why) override { shell_.stop(fence, why); }
  void release(domain::Fence fence) override { shell_.release(fence); }
  void keep_ready(domain::PoolId pool, int workers) override { shell_.keep_ready(pool, workers); }
  void when_ready(std::function<void()> then) override { shell_.when_ready(std::move(then)); }
  void read_output(domain::Fence fence, domain::OutputStream stream, std::int64_t offset,
                   std::size_t max_bytes,
                   std::function<void(base::Result<domain::OutputChunk>)> answer) override {
    shell_.read_output(fence, stream, offset, max_bytes, std::move(answer));
  }
  void read_spool(std::string spool, domain::OutputStream stream, std::int64_t offset,
                  std::size_t max_bytes,
                  std::function<void(base::Result<domain::OutputChunk>)> answer) override {
    shell_.read_spool(std::move(spool), stream, offset, max_bytes, std::move(answer));
  }
  void examine(domain::PoolSpec pool, domain::StringMap env,
               std::function<void(base::Result<std::string>)> answer) override {
    shell_.examine(std::move(pool), std::move(env), std::move(answer));
  }
  void resident(std::vector<domain::Fence> fences,
                std::function<void(base::Result<std::vector<std::int64_t>>)> answer) override {
    shell_.resident(std::move(fences), std::move(answer));
  }

 private:
  domain::Executor& shell_;
  const std::string executable_;
};

// A call as the process reads it: {"url" or "command", "token_file"?, "headers"?, "ca_file"?,
// "tool", "arguments"}.
std::string call_text(const domain::PoolSettings& settings, const domain::Work& work);

}  // namespace mahavishnu::workers
