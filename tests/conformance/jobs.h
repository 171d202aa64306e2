// The conformance server's tasks, in memory: jobs that end by themselves after a while, or once
// their questions are answered. One executor. Lifetime: longer than the server that serves them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "mcp/tasks.h"

namespace mahavishnu::conformance {

class Jobs final : public mcp::TaskKeeper {
 public:
  // `changed` is told of every job that is not what it was.
  Jobs(asio::any_io_executor executor, std::function<void(std::string_view)> changed);

  // What a job comes to, from the answers to its questions.
  using Finish = std::function<mcp::TaskEnd(const mcp::Answers&)>;
  // Ends after `takes`.
  mcp::TaskView begin(const std::string& caller, base::Millis takes, Finish finish);
  // Ends with the last answer.
  mcp::TaskView begin(const std::string& caller, std::vector<mcp::Question> questions,
                      Finish finish);

  // Ends the waits of jobs that take their time.
  base::awaitable<void> stop();

  base::awaitable<base::Result<mcp::TaskView>> get(std::string id, std::string caller,
                                                   base::Millis wait) override;
  base::awaitable<base::Status> answer(std::string id, mcp::Answers answers,
                                       mcp::Call& call) override;
  base::awaitable<base::Status> cancel(std::string id, base::Millis wait, mcp::Call& call) override;
  base::awaitable<base::Result<mcp::TaskPage>> list(std::string caller,
                                                    std::string cursor) override;
  std::optional<std::string> subject(std::string_view id, std::string_view caller) const override;

 private:
  struct Job {
    mcp::TaskView view;
    std::string caller;
    Finish finish;
    mcp::Answers answers;
    std::shared_ptr<asio::steady_timer> clock;  // null: it waits for answers
  };
  Job& add(const std::string& caller, Finish finish, base::Millis takes);
  base::Result<Job*> find(std::string_view id, std::string_view caller);
  base::awaitable<void> run(std::string id, std::shared_ptr<asio::steady_timer> clock);
  void settle(Job& job, mcp::TaskState state, std::optional<mcp::TaskEnd> end);
  void touch(Job& job);

  asio::any_io_executor executor_;
  std::function<void(std::string_view)> changed_;
  std::map<std::string, Job, std::less<>> jobs_;
  asio::steady_timer news_;  // cancelled with every change
  base::TaskGroup group_;
};

}  // namespace mahavishnu::conformance
