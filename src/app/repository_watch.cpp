#include "app/repository_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace mahavishnu::app {

using base::ErrorCode;
using base::fail;
using base::Result;

RepositoryWatch::RepositoryWatch(asio::any_io_executor control, Options options, Changed changed)
    : options_(std::make_shared<const Options>(std::move(options))),
      changed_(std::move(changed)),
      timer_(control),
      group_(control, "repository file watch") {
  status_.file = options_->file;
}

RepositoryWatch::~RepositoryWatch() = default;

RepositoryWatch::Version RepositoryWatch::version_of(const std::string& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return {};
  return {static_cast<long long>(facts.st_ino), facts.st_size, facts.st_mtim.tv_sec,
          facts.st_mtim.tv_nsec};
}

Result<RepositoryIndexPtr> RepositoryWatch::read(const Options& options) {
  auto repositories = read_repositories(options.file, options.environment);
  if (!repositories) return fail(repositories.error());
  auto index = domain::RepositoryIndex::build(std::move(*repositories));
  if (!index) return fail(index.error().code, options.file + ": " + index.error().message);
  return *index;
}

void RepositoryWatch::start(RepositoryIndexPtr in_force, Version read) {
  status_.repositories = in_force->all().size();
  indexes_.push_back(std::move(in_force));
  status_.loaded = base::wall_now();
  version_ = read;
  group_.spawn(run());
}

base::awaitable<void> RepositoryWatch::stop() {
  group_.cancel();
  timer_.cancel();
  co_await group_.join();
  files_.join();
}

// Those that nobody else holds; nobody can come to hold them any more.
std::vector<RepositoryIndexPtr> RepositoryWatch::take_unused() {
  const auto used = std::partition(indexes_.begin(), indexes_.end(),
                                   [](const auto& index) { return index.use_count() > 1; });
  std::vector<RepositoryIndexPtr> unused(std::make_move_iterator(used),
                                         std::make_move_iterator(indexes_.end()));
  indexes_.erase(used, indexes_.end());
  return unused;
}

base::awaitable<RepositoryWatch::Look> RepositoryWatch::look(
    std::shared_ptr<const Options> options, Version known, std::vector<RepositoryIndexPtr> unused) {
  unused.clear();  // here, and not where the caller goes on
  Look look{version_of(options->file), false, RepositoryIndexPtr()};
  look.changed = look.version != known;
  if (look.changed) look.index = read(*options);
  co_return look;
}

base::awaitable<void> RepositoryWatch::run() {
  while (true) {
    timer_.expires_after(options_->every);
    const auto [error] = co_await timer_.async_wait(base::as_result);
    if (error) co_return;
    std::vector<RepositoryIndexPtr> unused = take_unused();
    Look seen = co_await asio::co_spawn(
        files_.get_executor(), look(options_, version_, std::move(unused)), base::use_awaitable);
    if (group_.cancelled()) co_return;
    if (seen.changed) take(std::move(seen));
  }
}

void RepositoryWatch::take(Look look) {
  version_ = look.version;
  if (!look.index) {
    status_.problem = look.index.error().message;
    base::log()->error(
        "the repositories file changed and cannot be used; the {} repositories read "
        "before stay in force: {}",
        status_.repositories, status_.problem);
    return;
  }
  status_.problem.clear();
  status_.repositories = (*look.index)->all().size();
  status_.loaded = base::wall_now();
  base::log()->info("read {} again: {} repositories", status_.file, status_.repositories);
  indexes_.push_back(*look.index);
  changed_(std::move(*look.index));
}

}  // namespace mahavishnu::app
