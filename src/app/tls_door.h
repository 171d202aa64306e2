// TLS of the HTTP door: its certificate and key files, the terminator that uses them, and a look at
// the files every two seconds, so that a renewed certificate is used without a restart.
//
// Files that cannot be used leave those read before in force, and are told in the log and in
// status(). They are looked at on a thread of their own: they may lie on any file system. Control
// thread only. Lifetime: stop() and await it before destruction, after the HTTP server's.
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "app/repository_watch.h"
#include "app/side_thread.h"
#include "base/asio.h"
#include "base/task_group.h"
#include "net/tls_terminator.h"

namespace mahavishnu::app {

class TlsDoor {
 public:
  // Null: no certificate is configured. InvalidArgument: what is configured cannot be used.
  static base::Result<std::unique_ptr<TlsDoor>> open(asio::any_io_executor control,
                                                     const Config& config);
  ~TlsDoor();

  net::TlsTerminator& terminator() { return *terminator_; }
  base::awaitable<void> stop();

  struct Status {
    base::WallTime expires{};  // the certificate in force
    std::string problem;       // "" : what is in force is what the files say
  };
  const Status& status() const { return status_; }

 private:
  struct Files {
    std::string certificate, key;
  };
  struct Versions {
    RepositoryWatch::Version certificate, key;
    bool operator==(const Versions&) const = default;
  };
  struct Look;
  TlsDoor(asio::any_io_executor control, Files files);
  static Versions versions_of(const Files& files);
  base::awaitable<void> follow();
  void look();
  void looked(Look look);

  asio::any_io_executor control_;
  Files files_;
  Versions versions_;
  bool looking_ = false;
  Status status_;
  std::unique_ptr<net::TlsTerminator> terminator_;
  SideThread aside_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // known to what `aside_` posts
  asio::steady_timer timer_;
  base::TaskGroup group_;
};

// "https" where a certificate is configured, "http" else.
std::string http_scheme(const Config& config);

}  // namespace mahavishnu::app
