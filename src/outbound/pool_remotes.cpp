#include "outbound/pool_remotes.h"

#include <optional>
#include <utility>
#include <vector>

namespace mahavishnu::outbound {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Millis;
using base::Result;
using base::Status;
using domain::RemoteReading;
using Kind = Verdict::Kind;

struct PoolRemotes::Origin {
  Origin(std::unique_ptr<net::HttpClient> calls, std::shared_ptr<Fuse> guards)
      : client(std::move(calls)), fuse(std::move(guards)) {}
  const std::unique_ptr<net::HttpClient> client;
  const std::shared_ptr<Fuse> fuse;
  ~Origin() { client->stop(); }
};

struct PoolRemotes::Peer {
  domain::PoolSettings settings;
  std::string path;
  std::shared_ptr<Origin> origin;
  std::unique_ptr<McpHttp> conversation;  // once its token is read
  bool connected = false;
  bool asking = false;
  std::string server;
  base::MonoTime asked{};
};

namespace {

// Of what a server said of itself when the conversation began; "" where it said nothing.
std::string name_of(const Json& hello) {
  const Json info = hello.is_object() ? hello.value("serverInfo", Json::object()) : Json::object();
  if (!info.is_object()) return "";
  const auto text = [&info](const char* member) {
    const auto at = info.find(member);
    return at != info.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const std::string version = text("version");
  return cut(text("name") + (version.empty() ? "" : " " + version), kErrorBytes);
}

// What a coroutine waits for and the reading thread brings.
struct Reading {
  explicit Reading(const asio::any_io_executor& executor) : ready(executor) {}
  asio::steady_timer ready;  // never fires by itself
  std::optional<Result<std::string>> text;
};

base::Error error_of(const Verdict& verdict, const std::string& url) {
  const bool late = verdict.code == ErrorCode::Deadline;
  return {late ? ErrorCode::Deadline : ErrorCode::Unavailable, url + ": " + verdict.error, 0};
}

}  // namespace

PoolRemotes::PoolRemotes(asio::any_io_executor control, BreakerBoard& breakers, Options options)
    : control_(std::move(control)),
      breakers_(breakers),
      options_(std::move(options)),
      group_(control_, "pool remotes") {}

Result<std::shared_ptr<PoolRemotes::Peer>> PoolRemotes::peer_of(const domain::PoolSpec& pool,
                                                                Millis limit) {
  auto& known = peers_[pool.name];
  if (known && known->settings == pool.settings) return known;
  auto peer = std::make_shared<Peer>();
  peer->settings = pool.settings;
  const auto parts = net::parse_origin(pool.settings.url);
  if (!parts) return fail(parts.error());
  peer->path = parts->path;
  auto& kept = origins_[parts->str() + " " + pool.settings.ca_file];
  peer->origin = kept.lock();
  if (!peer->origin) {
    net::HttpClientOptions http = options_.http;
    http.total = limit;
    http.ca_file = pool.settings.ca_file;
    auto client = net::HttpClient::make(parts->str(), std::move(http));
    if (!client) return fail(client.error());
    peer->origin =
        std::make_shared<Origin>(std::move(*client), breakers_.fuse("mcp " + parts->str()));
    kept = peer->origin;
  }
  known = peer;
  return peer;
}

void PoolRemotes::ask(const domain::PoolSpec& pool, Millis limit, Answer answer) {
  auto peer = peer_of(pool, limit);
  if (!peer) {
    peers_.erase(pool.name);
    asio::post(control_,
               [answer = std::move(answer), error = peer.error()] { answer(fail(error)); });
    return;
  }
  (*peer)->asked = base::mono_now();
  forget_old();
  group_.spawn(question(std::move(*peer), std::move(answer)));
}

void PoolRemotes::forget_old() {
  const auto oldest = base::mono_now() - kForget;
  std::erase_if(peers_, [oldest](const auto& one) { return one.second->asked < oldest; });
  std::erase_if(origins_, [](const auto& one) { return one.second.expired(); });
}

awaitable<void> PoolRemotes::question(std::shared_ptr<Peer> peer, Answer answer) {
  co_await asio::post(control_, asio::use_awaitable);  // never from inside the call
  const std::string url = peer->settings.url;
  if (peer->asking) {
    answer(fail(ErrorCode::Unavailable, url + " has not answered the last question yet"));
    co_return;
  }
  const auto pass = peer->origin->fuse->ask();
  if (!pass.allowed()) {
    answer(fail(ErrorCode::Unavailable, url + ": its breaker is open; breaker_list shows why"));
    co_return;
  }
  const auto begun = base::mono_now();
  peer->asking = true;
  const Verdict verdict = co_await converse(peer);
  peer->asking = false;
  const bool works = verdict.kind == Kind::Accepted || verdict.kind == Kind::Refused;
  if (verdict.kind == Kind::Cancelled) {
    peer->origin->fuse->dropped(pass);
  } else if (works) {
    peer->origin->fuse->succeeded(pass);
  } else {
    peer->connected = false;
    peer->origin->fuse->failed(pass, verdict.error);
  }
  if (verdict.kind != Kind::Accepted) {
    answer(fail(error_of(verdict, url)));
    co_return;
  }
  RemoteReading reading;
  reading.server = peer->server;
  reading.protocol = peer->conversation->version();
  reading.took = std::chrono::duration_cast<Millis>(base::mono_now() - begun);
  answer(std::move(reading));
}

awaitable<Result<std::string>> PoolRemotes::read(std::string file) {
  auto reading = std::make_shared<Reading>(control_);
  asio::post(files_, [reading, file = std::move(file), read = options_.read_secret,
                      control = control_]() mutable {
    asio::post(control, [reading = std::move(reading), text = read(file)]() mutable {
      reading->text = std::move(text);
      reading->ready.cancel();
    });
  });
  while (!reading->text) {
    reading->ready.expires_at(asio::steady_timer::time_point::max());
    co_await reading->ready.async_wait(base::as_result);
  }
  co_return std::move(*reading->text);
}

// What its settings name besides the URL.
awaitable<Status> PoolRemotes::prepare(std::shared_ptr<Peer> peer) {
  McpHttp::Options options;
  options.endpoint = peer->path;
  options.repeatable = true;  // nothing is done by what is asked here
  for (const auto& header : peer->settings.headers) options.headers.push_back(header);
  if (const std::string file = peer->settings.token_file; !file.empty()) {
    auto token = co_await read(file);
    if (!token) co_return fail(token.error());
    options.token = std::move(*token);
  }
  peer->conversation =
      std::make_unique<McpHttp>(control_, *peer->origin->client, std::move(options));
  co_return Status{};
}

awaitable<Verdict> PoolRemotes::converse(std::shared_ptr<Peer> peer) {
  if (!peer->conversation) {
    auto ready = co_await prepare(peer);
    if (!ready) co_return Verdict{Kind::Refused, ready.error().message, {}, 0, ready.error().code};
  }
  if (peer->connected) {
    const bool modern = peer->conversation->version() == kModern;
    Verdict verdict = co_await peer->conversation->request(
        modern ? "server/discover" : "ping", Json::object(), Json(), McpPeer::Heard());
    if (verdict.kind != Kind::Expired) co_return verdict;
  }
  Verdict verdict = co_await peer->conversation->connect();
  peer->connected = verdict.kind == Kind::Accepted;
  if (peer->connected) peer->server = name_of(verdict.result);
  co_return verdict;
}

awaitable<void> PoolRemotes::stop() {
  group_.cancel();
  for (const auto& [name, peer] : peers_) peer->origin->client->stop();
  co_await group_.join();
  peers_.clear();
  origins_.clear();
  files_.join();
}

}  // namespace mahavishnu::outbound
