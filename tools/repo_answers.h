// The answers of repo_list, kept as text: what a repository is comes from the index, what it is at
// comes from its files.
//
// A kept answer is given without suspending while it is younger than kStale, the index is the same
// and no work has ended since it was looked up (work is what moves a branch). From kAging on a new
// look is started beside it, so that a stream of calls is never held up; older answers are looked
// up anew before they are given. A file system that does not answer within kPatience is said in the
// answer instead of holding the call. Calls with the same arguments share a look, but for those
// that ask for one of their own. Control thread; owned by the tool's handler.
#pragma once

#include <memory>
#include <string>

#include "base/cache.h"
#include "tools/registry.h"

namespace mahavishnu::tools {

class RepoAnswers {
 public:
  static constexpr std::chrono::milliseconds kAging{1000};
  static constexpr std::chrono::milliseconds kStale{2000};
  static constexpr std::chrono::milliseconds kPatience{2000};
  static constexpr std::size_t kMaxAnswers = 64;

  explicit RepoAnswers(Context& context) : context_(context) {}
  auto& kept() { return kept_; }

  base::awaitable<mcp::ToolResult> answer(mcp::Json arguments);
  // A kept answer that may be given without a look, or nullptr. Valid until the next call.
  const mcp::KeptAnswer* at_hand(const mcp::Json& arguments);

 private:
  struct Query {
    std::string tag, role, text;
    bool fresh = false;  // a look of its own, shared with nobody
    std::size_t limit = 50;
    std::string after;  // name of the last repository of the page before
  };
  // What a look was started for.
  struct Page {
    std::shared_ptr<const domain::RepositoryIndex> index;
    std::vector<const domain::Repository*> items;
    std::size_t total = 0;
    bool more = false;
    std::uint64_t repositories = 0;  // version of the index
    std::uint64_t ended = 0;         // work that had ended by then
    base::MonoTime begun{};
  };
  struct Answer {
    Answer(Query asked, const asio::any_io_executor& executor)
        : query(std::move(asked)), arrived(executor) {}
    Query query;
    mcp::KeptAnswer kept;  // empty: never looked
    Page page;             // `kept` is of
    bool known = false;    // `kept` has the facts of every repository
    bool looking = false;
    asio::steady_timer arrived;  // cancelled when a look arrives, due when it takes too long
  };
  using AnswerPtr = std::shared_ptr<Answer>;

  static base::Result<Query> read(const mcp::Json& arguments);
  bool is_current(const Answer& answer, base::MonoTime not_before) const;
  void look(const AnswerPtr& answer);
  static std::string render(const Page& page,
                            const base::Result<std::vector<domain::GitState>>& states);
  Page page_of(const Query& query) const;
  std::uint64_t work_ended() const;

  Context& context_;
  base::Cache<std::string, AnswerPtr> kept_{{kMaxAnswers}};  // by arguments
};

}  // namespace mahavishnu::tools
