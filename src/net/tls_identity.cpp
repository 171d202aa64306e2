#include "net/tls_identity.h"

#include <ctime>
#include <string_view>

#include "net/asio_ssl.h"

namespace mahavishnu::net {
namespace {

using base::ErrorCode;
using base::fail;

constexpr const char* kCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20";  // of TLS 1.2; those of 1.3 are fine

base::Error wrong(const std::string& what, const std::string& file, const std::string& why) {
  return {ErrorCode::InvalidArgument, what + " " + file + ": " + why};
}

// RFC 7301. A client that offers other protocols only is told so by an alert.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr std::string_view kOurs = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(kOurs.data()),
                            static_cast<unsigned>(kOurs.size()), offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool harden(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, kCiphers) == 1;
}

base::WallTime end_of(SSL_CTX* context) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  std::tm end{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) {
    return {};
  }
  return base::WallTime(std::chrono::seconds(::timegm(&end)));
}

}  // namespace

base::Result<TlsIdentityPtr> TlsIdentity::load(const std::string& certificate,
                                               const std::string& key) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  asio::error_code error;
  if (!harden(context->native_handle())) {
    return fail(ErrorCode::Internal, "OpenSSL here has none of the ciphers that are wanted");
  }
  context->use_certificate_chain_file(certificate, error);
  if (error) return fail(wrong("the certificate", certificate, error.message()));
  // A key with a pass phrase must not ask for it on the terminal.
  context->set_password_callback([](std::size_t, auto) { return std::string(); }, error);
  context->use_private_key_file(key, asio::ssl::context::pem, error);
  if (error) {
    ERR_clear_error();
    return fail(wrong("the key", key, error.message() + "; is it that of " + certificate + "?"));
  }
  auto identity = std::make_shared<TlsIdentity>();
  identity->expires = end_of(context->native_handle());
  identity->context = std::move(context);
  return TlsIdentityPtr(std::move(identity));
}

}  // namespace mahavishnu::net
