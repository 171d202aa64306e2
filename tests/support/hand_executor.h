// An executor whose attempts start and end when the test says so.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "domain/ports.h"

namespace mahavishnu::support {

class HandExecutor final : public domain::Executor {
 public:
  struct Attempt {
    domain::AttemptOrder order;
    std::optional<domain::Reason> stop;
    std::string output;
    bool released = false;
  };

  bool end_on_start = false;   // every attempt succeeds at once
  bool late_recovery = false;  // recover() is answered by recover_now()
  bool spools_removed = false;
  std::optional<std::int64_t> resident_bytes = 1000;  // of each; < 0: cannot be told; null: hangs

  std::optional<domain::StringMap> missing = domain::StringMap{};  // by pool; null: hangs
  int examined = 0;
  domain::StringMap examined_env;  // of the last one

  std::map<domain::PoolId, int> ready;  // as asked for
  bool late_workers = false;            // when_ready() is answered by up()
  std::function<void()> up;

  void subscribe(Events events) override { events_ = std::move(events); }
  void recover(
      std::function<void(domain::Result<std::vector<domain::Restored::Found>>)> answer) override {
    recovery_ = std::move(answer);
    if (!late_recovery) recover_now();
  }
  void recover_now() { recovery_(found); }
  void start(domain::AttemptOrder order) override {
    const domain::Fence fence = order.fence;
    started_.push_back(fence);
    attempts_[fence].order = std::move(order);
    if (!end_on_start) return;
    events_.started(fence);
    end(fence, domain::Reason::Ok, 0);
  }
  void stop(domain::Fence fence, domain::Reason why) override { attempts_[fence].stop = why; }
  void release(domain::Fence fence) override { attempts_[fence].released = true; }
  void keep_ready(domain::PoolId pool, int workers) override { ready[pool] = workers; }
  void when_ready(std::function<void()> then) override {
    up = std::move(then);
    if (!late_workers) up();
  }
  void read_output(domain::Fence fence, domain::OutputStream, std::int64_t offset, std::size_t,
                   std::function<void(domain::Result<domain::OutputChunk>)> answer) override {
    domain::OutputChunk chunk;
    const std::string& all = attempts_[fence].output;
    chunk.text =
        offset < 0 ? all : all.substr(std::min(static_cast<std::size_t>(offset), all.size()));
    chunk.next_offset = all.size();
    answer(chunk);
  }
  void read_spool(std::string spool, domain::OutputStream, std::int64_t, std::size_t,
                  std::function<void(domain::Result<domain::OutputChunk>)> answer) override {
    if (spools_removed) return answer(domain::fail(domain::ErrorCode::NotFound, "gone"));
    domain::OutputChunk chunk;
    chunk.text = "spooled in " + spool;
    chunk.eof = true;
    answer(chunk);
  }

  void resident(std::vector<domain::Fence> fences,
                std::function<void(domain::Result<std::vector<std::int64_t>>)> answer) override {
    if (!resident_bytes) return;  // hangs
    answer(*resident_bytes < 0 ? domain::Result<std::vector<std::int64_t>>(
                                     domain::fail(domain::ErrorCode::Unavailable, "cannot be told"))
                               : std::vector<std::int64_t>(fences.size(), *resident_bytes));
  }

  void examine(domain::PoolSpec pool, domain::StringMap env,
               std::function<void(domain::Result<std::string>)> answer) override {
    ++examined;
    examined_env = std::move(env);
    if (!missing) return;  // hangs
    const auto found = missing->find(pool.name);
    answer(found == missing->end() ? std::string() : found->second);
  }

  void begin(domain::Fence fence) { events_.started(fence); }
  void write(domain::Fence fence, const std::string& text) {
    attempts_[fence].output += text;
    events_.output(fence, attempts_[fence].output.size());
  }
  void end(domain::Fence fence, domain::Reason reason, std::optional<int> exit_code,
           std::string text = {}, std::string spool = {}) {
    domain::AttemptEnded ended;
    ended.fence = fence;
    ended.reason = reason;
    ended.exit_code = exit_code;
    ended.result.text = text.empty() ? attempts_[fence].output : std::move(text);
    ended.result.output_bytes = ended.result.text.size() + (spool.empty() ? 0 : 100000);
    ended.result.spool = std::move(spool);
    end(std::move(ended));
  }
  void end(domain::AttemptEnded ended) { events_.ended(std::move(ended)); }

  const std::vector<domain::Fence>& started() const { return started_; }
  const Attempt& attempt(domain::Fence fence) const { return attempts_.at(fence); }

  std::vector<domain::Restored::Found> found;  // what recover() answers

 private:
  Events events_;
  std::function<void(domain::Result<std::vector<domain::Restored::Found>>)> recovery_;
  std::vector<domain::Fence> started_;
  std::map<domain::Fence, Attempt> attempts_;
};

}  // namespace mahavishnu::support
