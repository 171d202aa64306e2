// A server's certificate and key, ready for handshakes. A value that never changes; any thread.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace asio::ssl {
class context;
}

namespace mahavishnu::net {

struct TlsIdentity {
  std::shared_ptr<asio::ssl::context> context;
  base::WallTime expires{};  // of the certificate

  // PEM files: the certificate with those that vouch for it behind it, and its key. TLS 1.2 and
  // 1.3, forward secrecy and authenticated encryption only, ALPN http/1.1. Blocks on the disk.
  // InvalidArgument names the file and what is wrong with it, or that the two do not belong
  // together.
  static base::Result<std::shared_ptr<const TlsIdentity>> load(const std::string& certificate,
                                                               const std::string& key);
};

using TlsIdentityPtr = std::shared_ptr<const TlsIdentity>;

}  // namespace mahavishnu::net
