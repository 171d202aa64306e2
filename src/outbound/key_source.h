// Where the public keys of an issuer of tokens are: its JWK Set, found through the issuer's own
// metadata (RFC 8414, OpenID Connect Discovery) unless its URL is known.
//
// Nothing is taken from a server that is not asked over TLS, but on this machine; no redirect is
// followed; metadata that names another issuer is not used. It knows no key: what it brings is
// text. A call makes connections of its own: it is made every few minutes.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "net/http_client.h"

namespace mahavishnu::outbound {

class KeySource {
 public:
  virtual ~KeySource() = default;
  // The JWK Set as it came. Blocks, bounded by limits; one caller at a time. Unavailable says why.
  virtual base::Result<std::string> fetch() = 0;
  // Ends a fetch that is under way, and all later ones. Any thread.
  virtual void cut() = 0;
};

struct IssuerKeysOptions {
  std::string issuer;
  std::string url;  // of the set; "": as the issuer's metadata says
  net::HttpClientOptions http;
};

class IssuerKeys final : public KeySource {
 public:
  // InvalidArgument: a URL is none, or is plain HTTP to another machine.
  static base::Result<std::unique_ptr<IssuerKeys>> make(IssuerKeysOptions options);

  base::Result<std::string> fetch() override;
  void cut() override;

 private:
  explicit IssuerKeys(IssuerKeysOptions options) : options_(std::move(options)) {}
  base::Result<net::HttpReply> get(const std::string& url);
  base::Result<std::string> discover();

  const IssuerKeysOptions options_;
  std::mutex mutex_;
  std::shared_ptr<net::HttpClient> asked_;  // while a call is under way
  bool cut_ = false;
};

}  // namespace mahavishnu::outbound
