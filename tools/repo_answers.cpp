#include "tools/repo_answers.h"

#include <algorithm>
#include <cctype>

#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/json_views.h"

namespace mahavishnu::tools {
namespace {

using domain::GitState;
using domain::Repository;

std::string lower(std::string_view text) {
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return low;
}

// `wanted` is in lower case already.
bool mentions(const Repository& repo, const std::string& wanted) {
  const auto has = [&wanted](const std::string& text) {
    return lower(text).find(wanted) != std::string::npos;
  };
  return has(repo.name) || has(repo.description) ||
         std::any_of(repo.nicknames.begin(), repo.nicknames.end(), has);
}

// `problem`: why the state is not known, when it is null.
Json repo_view(const Repository& repo, const GitState* state, const std::string& problem) {
  Json view{{"name", repo.name}, {"path", repo.path}, {"tags", repo.tags}};
  if (!repo.nicknames.empty()) view["nicknames"] = repo.nicknames;
  if (!repo.role.empty()) view["role"] = repo.role;
  if (!repo.description.empty()) view["description"] = repo.description;
  if (state == nullptr) {
    view["problem"] = problem;
    return view;
  }
  view["exists"] = state->exists;
  if (!state->branch.empty()) view["branch"] = state->branch;
  if (!state->head.empty()) view["head"] = state->head;
  if (!state->problem.empty()) view["problem"] = state->problem;
  return view;
}

std::string key_of(const Json& arguments) {
  return arguments.empty() ? std::string() : rpc::dump(arguments);
}

}  // namespace

base::Result<RepoAnswers::Query> RepoAnswers::read(const mcp::Json& arguments) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  Query query;
  query.tag = reader.text("tag");
  query.role = reader.text("role");
  query.text = lower(reader.text("query", kKeyBytes));
  query.fresh = reader.flag("fresh");
  const domain::Page page = read_page(reader);
  query.limit = static_cast<std::size_t>(page.limit);
  query.after = page.cursor;
  if (auto good = reader.finish(); !good) return fail(good.error());
  return query;
}

std::uint64_t RepoAnswers::work_ended() const {
  const domain::CoreCounts counts = context_.service.counts();
  return counts.completed + counts.failed + counts.cancelled + counts.dead;
}

bool RepoAnswers::is_current(const Answer& answer, base::MonoTime not_before) const {
  return answer.known && answer.page.begun >= not_before &&
         answer.page.repositories == context_.service.repositories_version();
}

RepoAnswers::Page RepoAnswers::page_of(const Query& query) const {
  Page page;
  page.index = context_.service.repositories();
  page.repositories = context_.service.repositories_version();
  page.ended = work_ended();
  page.begun = context_.timers.now().mono;
  // They lie in the file's order, one after another.
  const Repository* after = nullptr;
  if (!query.after.empty() && !page.index->all().empty()) {
    const auto found = page.index->find(query.after);
    after = found ? *found : &page.index->all().back();
  }
  const auto consider = [&](const Repository& repo) {
    const bool wanted = (query.role.empty() || repo.role == query.role) &&
                        (query.tag.empty() || std::find(repo.tags.begin(), repo.tags.end(),
                                                        query.tag) != repo.tags.end()) &&
                        (query.text.empty() || mentions(repo, query.text));
    if (!wanted) return;
    ++page.total;
    if (after != nullptr && &repo <= after) return;
    if (page.items.size() < query.limit) {
      page.items.push_back(&repo);
    } else {
      page.more = true;
    }
  };
  // With a tag or a role the index knows which; all of these are looked through otherwise.
  if (!query.tag.empty() || !query.role.empty()) {
    const auto& some =
        query.tag.empty() ? page.index->with_role(query.role) : page.index->with_tag(query.tag);
    for (const Repository* repo : some) consider(*repo);
  } else {
    for (const Repository& repo : page.index->all()) consider(repo);
  }
  return page;
}

std::string RepoAnswers::render(const Page& page,
                                const base::Result<std::vector<GitState>>& states) {
  ItemList list(Json{{"total", page.total}});
  std::string last;
  bool more = page.more;
  for (std::size_t i = 0; i < page.items.size(); ++i) {
    const Json view = states ? repo_view(*page.items[i], &(*states)[i], "")
                             : repo_view(*page.items[i], nullptr, states.error().message);
    if (!list.add(view)) {
      more = true;
      break;
    }
    last = page.items[i]->name;
  }
  return list.finish("items", more ? last : "");
}

void RepoAnswers::look(const AnswerPtr& answer) {
  Page page = page_of(answer->query);
  std::vector<std::string> paths;
  paths.reserve(page.items.size());
  for (const Repository* repo : page.items) paths.push_back(repo->path);
  answer->looking = true;
  answer->arrived.expires_after(kPatience);
  context_.git.look(std::move(paths), [answer, page = std::move(page)](auto states) mutable {
    answer->looking = false;
    answer->known = states.has_value();
    answer->kept = mcp::KeptAnswer(render(page, states));
    page.items.clear();
    page.index.reset();
    answer->page = std::move(page);
    answer->arrived.cancel();
  });
}

const mcp::KeptAnswer* RepoAnswers::at_hand(const mcp::Json& arguments) {
  const AnswerPtr* kept = kept_.find(key_of(arguments));
  const AnswerPtr answer = kept == nullptr ? nullptr : *kept;
  const base::MonoTime now = context_.timers.now().mono;
  if (!answer || answer->query.fresh || !is_current(*answer, now - kStale) ||
      answer->page.ended != work_ended()) {
    return nullptr;
  }
  if (answer->page.begun < now - kAging && !answer->looking) look(answer);
  return &answer->kept;
}

base::awaitable<mcp::ToolResult> RepoAnswers::answer(mcp::Json arguments) {
  if (const mcp::KeptAnswer* kept = at_hand(arguments)) co_return kept->json();
  const std::string key = key_of(arguments);
  const AnswerPtr* known = kept_.peek(key);
  AnswerPtr answer = known == nullptr ? nullptr : *known;
  const base::MonoTime now = context_.timers.now().mono;
  if (!answer) {
    auto query = read(arguments);
    if (!query) co_return fail(query.error());
    const bool fresh = query->fresh;
    answer = std::make_shared<Answer>(std::move(*query), co_await asio::this_coro::executor);
    if (!fresh) kept_.put(key, answer);
  }
  const std::string& after = answer->query.after;
  if (!after.empty() && !context_.service.repositories()->find(after)) {
    co_return fail(ErrorCode::InvalidArgument,
                   "cursor: the list has changed since; start without it");
  }
  while (true) {
    if (!answer->looking) look(answer);
    const auto [error] = co_await answer->arrived.async_wait(base::as_result);
    if (!error) break;  // kPatience is over
    // A look that began before this call may be older than what its caller has seen.
    if (!answer->looking && (!answer->known || is_current(*answer, now)))
      co_return answer->kept.json();
  }
  co_return render(page_of(answer->query),
                   fail(ErrorCode::Unavailable, "the file system did not answer within 2 s"));
}

}  // namespace mahavishnu::tools
