// The product's work as MCP tasks: a handle names a durable task, a batch of them, a workflow run
// or the closing of a pool, so it is good after any restart of the server, and needs no table of
// its own.
//
// A handle is the id, a dot, and a mark of id and caller under a key that only the server has:
// nobody else's credential opens it, and ids seen in lists make no handles. What is over is known
// `keep` longer, then its handle is (the work itself stays, for the tools); what is not over has no
// end set. Control thread only. Lifetime: longer than the tools and the server they are served by.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "mcp/signer.h"
#include "mcp/tasks.h"
#include "tools/registry.h"

namespace mahavishnu::tools {

class DurableTasks final : public mcp::TaskKeeper {
 public:
  struct Options {
    std::string key;  // of the marks; "": a new one, so that no handle outlives this
    base::Millis keep{86400000};
    base::Millis answer_time{600000};  // for the answer to a question; then nothing is done
  };
  DurableTasks(Context& context, Options options);

  // The tools as they are served: cancelling and reading go through them.
  void use(const std::vector<mcp::Tool>& tools);

  mcp::TaskView view(const domain::TaskRecord& task, const std::string& caller) const;
  mcp::TaskView view(const domain::WorkflowRecord& workflow, const std::string& caller) const;
  // Of a batch of which nothing was handed in before, and something was taken.
  base::awaitable<base::Result<mcp::TaskView>> batch(control::Service::BatchOutcome outcome,
                                                     std::string caller) const;
  // Of a pool that closes now, or (`asks`) may be closed once it is said how.
  mcp::TaskView closing(const domain::PoolStatus& pool, bool asks, const std::string& caller) const;

  base::awaitable<base::Result<mcp::TaskView>> get(std::string id, std::string caller,
                                                   base::Millis wait) override;
  base::awaitable<base::Status> answer(std::string id, mcp::Answers answers,
                                       mcp::Call& call) override;
  base::awaitable<base::Status> cancel(std::string id, base::Millis wait, mcp::Call& call) override;
  base::awaitable<base::Result<mcp::TaskPage>> list(std::string caller,
                                                    std::string cursor) override;
  std::optional<std::string> subject(std::string_view id, std::string_view caller) const override;

 private:
  struct Batch;
  struct Closing;
  // What the handle names, without its mark. NotFound: it is not this caller's, or none at all.
  base::Result<std::string> open(std::string_view id, std::string_view caller) const;
  std::string sealed(const std::string& named, std::string_view caller) const;
  void set_life(mcp::TaskView& view, std::optional<base::WallTime> ended) const;
  base::Status check_life(const mcp::TaskView& view) const;

  base::awaitable<base::Result<mcp::TaskView>> get_task(domain::TaskId id, std::string caller,
                                                        base::Millis wait);
  base::awaitable<base::Result<mcp::TaskView>> get_workflow(domain::WorkflowId id,
                                                            std::string caller, base::Millis wait);
  base::awaitable<base::Result<mcp::TaskView>> get_batch(Batch batch, std::string caller) const;
  base::awaitable<base::Result<mcp::TaskView>> get_closing(std::string named, std::string caller,
                                                           base::Millis wait);
  template <class Record>
  mcp::TaskView outline(const Record& record, const std::string& caller) const;
  mcp::TaskView closing_view(const Closing& closing, const std::string& caller) const;
  mcp::TaskView left_alone(const Closing& closing, mcp::TaskView out) const;
  base::awaitable<base::Result<bool>> ends_are_written(domain::PoolId pool);
  base::awaitable<base::Result<int>> cancelled_since(domain::PoolId pool, base::WallTime began,
                                                     int most);
  base::awaitable<base::Status> call_tool(const mcp::ToolHandler& tool, mcp::Json arguments,
                                          mcp::Call& call);
  bool is_left(const std::string& named) const;

  Context& context_;
  Options options_;
  mcp::Signer signer_;
  mcp::ToolHandler task_cancel_, workflow_cancel_, workflow_get_, pool_close_;
  std::deque<std::string> left_;  // closings that were declined; after a restart asked again
};

// Whether the call is to be answered with a task: `over` says that there is nothing to wait for any
// more, `until_change` that the caller wants to know how it stands, whatever that is.
bool becomes_task(const Context& context, const mcp::Call& call, bool over, bool until_change);

// What pool_close asks before it ends what runs, and the choice in its answer.
mcp::Question closing_question(const domain::PoolStatus& pool);
enum class ClosingChoice { Drain, Abort, Leave };
// Nothing: it is no answer to that question.
std::optional<ClosingChoice> closing_choice(const mcp::Answers& answers);

}  // namespace mahavishnu::tools
