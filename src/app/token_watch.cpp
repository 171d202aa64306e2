#include "app/token_watch.h"

#include "app/secrets.h"
#include "base/log.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

constexpr base::Millis kKeepEvery{60000};
constexpr std::size_t kLongestUse = 1U << 20U;

std::string use_file(const std::string& tokens_file) { return tokens_file + ".used"; }

}  // namespace

TokenUse read_token_use(const std::string& tokens_file) {
  TokenUse used;
  const auto text = read_private(use_file(tokens_file), "file of uses", kLongestUse);
  const auto times = text ? rpc::parse(*text) : base::Result<rpc::Json>(rpc::Json::object());
  if (!times || !times->is_object()) return used;
  for (const auto& entry : times->items()) {
    if (!entry.value().is_string()) continue;
    if (auto time = base::parse_rfc3339(entry.value().get<std::string>())) {
      used.emplace(entry.key(), *time);
    }
  }
  return used;
}

base::Status write_token_use(const std::string& tokens_file, const TokenUse& used) {
  rpc::Json times = rpc::Json::object();
  for (const auto& [name, time] : used) times[name] = base::to_rfc3339(time);
  return replace_private(use_file(tokens_file), times.dump() + "\n");
}

TokenWatch::TokenWatch(asio::any_io_executor control, std::string file, Access& access, Aside aside)
    : file_(std::move(file)),
      access_(access),
      aside_(std::move(aside)),
      watch_(control, file_, [this] { read(); }),
      timer_(control),
      group_(control, "token watch") {}

TokenWatch::~TokenWatch() = default;

void TokenWatch::start() {
  watch_.start();  // before it is read: no change is missed
  read();
  kept_ = read_token_use(file_);
  group_.spawn(keep_in_time());
}

base::awaitable<void> TokenWatch::stop() {
  group_.cancel();
  timer_.cancel();
  co_await watch_.stop();
  co_await group_.join();
  keep_used();
}

// In place: it is a small file in our own folder, and who was revoked must not come in meanwhile.
void TokenWatch::read() {
  auto tokens = read_tokens(file_);
  if (!tokens) {
    if (status_.problem == tokens.error().message) return;
    status_.problem = tokens.error().message;
    base::log()->error("the {} named tokens read before stay in force: {}", status_.tokens,
                       status_.problem);
    return;
  }
  const bool said = !status_.problem.empty() || tokens->size() != status_.tokens;
  status_ = {tokens->size(), ""};
  access_.put_tokens(std::move(*tokens));
  if (said) base::log()->info("{} named tokens are in force", status_.tokens);
}

void TokenWatch::keep_used() {
  TokenUse used = kept_;
  for (const auto& [name, time] : access_.used()) used[name] = time;
  if (used == kept_) return;
  kept_ = used;
  aside_([file = file_, used = std::move(used)] {
    if (auto kept = write_token_use(file, used); !kept) {
      base::log()->warn("when tokens were used is not kept: {}", kept.error().message);
    }
  });
}

base::awaitable<void> TokenWatch::keep_in_time() {
  while (true) {
    timer_.expires_after(kKeepEvery);
    const auto [error] = co_await timer_.async_wait(base::as_result);
    if (error || group_.cancelled()) co_return;
    keep_used();
  }
}

}  // namespace mahavishnu::app
