// A call as its handler sees it, in every revision: notices go out while it runs, and questions are
// asked on the same stream (sessions) or by ending the round (2026-07-28 on).
//
// One executor. Lifetime: that of the running call; `finish` or `abandon` must be awaited before it
// is destroyed.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mcp/call.h"
#include "mcp/notices.h"
#include "mcp/prepared_call.h"
#include "mcp/request_state.h"
#include "mcp/server.h"

namespace mahavishnu::mcp {

class ActiveCall final : public Call {
 public:
  // What outlives every call of a server.
  struct Ground {
    asio::any_io_executor executor;
    const ServerOptions& options;
    const RequestState& states;
  };

  // `sink` (nullptr: nothing can be told before the reply) and the references must outlive this.
  ActiveCall(const Ground& ground, const View& view, const PreparedCall& call, NoticeSink* sink);

  const std::string& caller() const override { return view_.caller; }
  bool wants_progress() const override;
  void progress(double progress, double total, std::string message) override;
  const std::string& working_directory() const override { return view_.working_directory; }
  std::shared_ptr<const std::map<std::string, std::string>> environment() const override {
    return view_.environment;
  }
  void log(LogLevel level, std::string logger, Json data) override;
  bool can_ask(Ask what) const override;
  base::awaitable<base::Result<Answers>> ask(std::vector<Question> questions) override;

  TaskWish task_wish() const override { return call_.task_wish; }
  base::Error hand_over(const TaskView& task) override;
  std::string handed_over() const override { return handed_over_; }

  // What the caller gets whatever the handler returned: questions, a task, or which
  // capability is missing.
  std::optional<Outcome> instead() const { return instead_; }

  base::awaitable<void> finish();
  base::awaitable<void> abandon();

 private:
  Notices& notices();
  const Json* capability(Ask what) const;
  base::Result<Answers> ask_by_rounds(const std::vector<Question>& questions);
  base::awaitable<base::Result<Answers>> ask_on_stream(std::vector<Question> questions);
  base::Status end_round(const std::vector<Question>& open);

  const Ground& ground_;
  const View& view_;
  const PreparedCall& call_;
  NoticeSink* sink_;
  std::optional<Notices> notices_;  // made when there is something to tell
  std::list<OpenQuestion*> asked_;  // on the stream, without an answer
  Answers used_;                    // of the earlier rounds, by this handler
  std::optional<Outcome> instead_;
  std::string handed_over_;
};

}  // namespace mahavishnu::mcp
