#include "app/tls_door.h"

#include <optional>
#include <utility>

#include "base/log.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr base::Millis kLookEvery{2000};

}  // namespace

// What the side thread has found.
struct TlsDoor::Look {
  Versions versions;
  std::optional<Result<net::TlsIdentityPtr>> identity;  // where they are others than before
};

TlsDoor::TlsDoor(asio::any_io_executor control, Files files)
    : control_(control),
      files_(std::move(files)),
      versions_(versions_of(files_)),
      timer_(control),
      group_(control, "tls door") {}

TlsDoor::~TlsDoor() = default;

Result<std::unique_ptr<TlsDoor>> TlsDoor::open(asio::any_io_executor control,
                                               const Config& config) {
  Files files{config.text("http.tls.certificate"), config.text("http.tls.key")};
  if (files.certificate.empty() && files.key.empty()) return std::unique_ptr<TlsDoor>();
  if (files.certificate.empty() || files.key.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "http.tls.certificate and http.tls.key go together, and only one is set");
  }
  std::unique_ptr<TlsDoor> door(new TlsDoor(control, files));
  auto identity = net::TlsIdentity::load(files.certificate, files.key);
  if (!identity) return fail(identity.error().code, "http.tls: " + identity.error().message);
  door->status_.expires = (*identity)->expires;
  if ((*identity)->expires < base::wall_now()) {
    base::log()->warn("tls: the certificate {} has expired; clients will refuse it",
                      files.certificate);
  }
  net::TlsTerminator::Options options;
  options.max_connections = static_cast<std::size_t>(config.number("http.max_connections"));
  options.handshake_time = config.duration("http.header_ms");
  door->terminator_ = std::make_unique<net::TlsTerminator>(std::move(*identity), options);
  door->group_.spawn(door->follow());
  return door;
}

base::awaitable<void> TlsDoor::stop() {
  group_.cancel();
  timer_.cancel();
  co_await group_.join();
  alive_.reset();
  aside_.finish();
  co_await terminator_->stop();
}

TlsDoor::Versions TlsDoor::versions_of(const Files& files) {
  return {RepositoryWatch::version_of(files.certificate), RepositoryWatch::version_of(files.key)};
}

base::awaitable<void> TlsDoor::follow() {
  while (!group_.cancelled()) {
    timer_.expires_after(kLookEvery);
    const auto [cancelled] = co_await timer_.async_wait(base::as_result);
    if (!cancelled) look();
  }
}

void TlsDoor::look() {
  if (std::exchange(looking_, true)) return;  // a file system that hangs must not be asked again
  aside_.run([this, files = files_, known = versions_, control = control_,
              alive = std::weak_ptr<bool>(alive_)] {
    Look found{versions_of(files), std::nullopt};
    if (found.versions != known) {
      found.identity = net::TlsIdentity::load(files.certificate, files.key);
    }
    asio::post(control, [this, alive, found = std::move(found)]() mutable {
      if (!alive.expired()) looked(std::move(found));
    });
  });
}

// Of two files that are renewed one after the other the first look may see only one: it is looked
// at again when the other changes.
void TlsDoor::looked(Look found) {
  looking_ = false;
  versions_ = found.versions;
  if (!found.identity) return;
  auto& identity = *found.identity;
  if (!identity) {
    status_.problem = identity.error().message;
    base::log()->warn("tls: the certificate read before stays in force: {}", status_.problem);
    return;
  }
  status_ = {(*identity)->expires, {}};
  terminator_->put(std::move(*identity));
  base::log()->info("tls: {} was read again, and is good until {}", files_.certificate,
                    base::to_rfc3339(status_.expires));
}

std::string http_scheme(const Config& config) {
  return config.text("http.tls.certificate").empty() ? "http" : "https";
}

}  // namespace mahavishnu::app
