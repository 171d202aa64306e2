#include "net/outgoing_connection.h"

#include <httplib.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace mahavishnu::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::MonoTime;
using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr const char* kAgent = "mahavishnu/" MAHAVISHNU_VERSION;
// cpp-httplib waits in whole milliseconds, rounded down. The guard is exact and has to be first: a
// call that is late is to be told from one that was broken off.
constexpr microseconds kBehindGuard{10'000};
constexpr int kGzip = 16;  // added to zlib's window: the format of gzip
constexpr std::string_view kRehearsedAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

// What may be done with a connection that cpp-httplib keeps to itself.
class PlainClient final : public httplib::ClientImpl {
 public:
  using ClientImpl::ClientImpl;
  httplib::Error connect() {
    auto error = httplib::Error::Success;
    const std::lock_guard lock(socket_mutex_);
    create_and_connect_socket(socket_, error);
    return error;
  }
  // Takes one that is connected already.
  void adopt(socket_t socket) {
    const std::lock_guard lock(socket_mutex_);
    socket_.sock = socket;
  }
};

microseconds left(MonoTime until) {
  return std::max(duration_cast<microseconds>(until - base::mono_now()), microseconds(1000));
}

bool was_not_sent(httplib::Error error) {
  return error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout ||
         error == httplib::Error::SSLConnection;
}

std::string packed(const std::string& text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzip, MAX_MEM_LEVEL - 1,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return {};
  }
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(done ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

// As long as calls are, so that it takes the same blocks of memory.
HttpCall rehearsed_call(const std::string& path) {
  HttpCall call;
  call.path = path + "/mcp";
  call.headers = {{"Accept", "application/json, text/event-stream"},
                  {"MCP-Protocol-Version", "2025-06-18"},
                  {"Mcp-Session-Id", std::string(36, '0')}};
  call.body = "{}";
  return call;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

// What has come of an answer.
struct OutgoingConnection::Body {
  const HttpCall& call;
  const std::function<void()>& settled;
  std::size_t most;
  std::string text = {};
  bool too_large = false;
  bool enough = false;

  bool begin(const httplib::Response& response) {
    // "99999999999" is a length as well: what it says is compared, not believed.
    const std::string length = response.get_header_value("Content-Length");
    too_large = length.size() > 18 || std::atoll(length.c_str()) > static_cast<long long>(most);
    return !too_large;
  }
  bool take(const char* bytes, std::size_t count) {
    too_large = text.size() + count > most;
    if (too_large) return false;
    text.append(bytes, count);
    if (!enough && call.enough && call.enough(text)) {
      enough = true;
      settled();
    }
    return true;
  }
};

OutgoingConnection::OutgoingConnection(const Origin& origin, const HttpClientOptions& options,
                                       HostLookup& lookup)
    : origin_(origin), options_(options), lookup_(lookup) {
  if (origin.tls) {
    auto client = std::make_unique<httplib::SSLClient>(origin.host, origin.port);
    if (!options.ca_file.empty()) client->set_ca_cert_path(options.ca_file);
    if (SSL_CTX* context = client->ssl_context()) {
      SSL_CTX_set_app_data(context, this);
      SSL_CTX_set_info_callback(context, [](const SSL* ssl, int where, int) {
        if ((where & SSL_CB_HANDSHAKE_DONE) == 0) return;
        static_cast<OutgoingConnection*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))
            ->handshake_done();
      });
    }
    client_ = std::move(client);
  } else {
    client_ = std::make_unique<PlainClient>(origin.host, origin.port);
  }
  client_->set_keep_alive(true);
  client_->set_follow_location(false);
  client_->set_tcp_nodelay(true);
  client_->set_url_encode(false);
  client_->set_socket_options([this](socket_t socket) { took_socket(socket); });
}

OutgoingConnection::~OutgoingConnection() { close(); }

// ── The socket ───────────────────────────────────────────────────────────────────────────────────

void OutgoingConnection::took_socket(int socket) {
  fresh_ = made_ = true;
  const std::lock_guard lock(mutex_);
  if (guarded_ >= 0) ::close(guarded_);
  guarded_ = ::dup(socket);
}

void OutgoingConnection::handshake_done() {
  if (connect_time_.count() == 0) connect_time_ = base::mono_now() - began_;
}

void OutgoingConnection::cut() {
  const std::lock_guard lock(mutex_);
  cut_ = true;
  if (guarded_ >= 0) ::shutdown(guarded_, SHUT_RDWR);
}

bool OutgoingConnection::was_cut() const {
  const std::lock_guard lock(mutex_);
  return cut_;
}

void OutgoingConnection::close() {
  client_->stop();
  const std::lock_guard lock(mutex_);
  if (guarded_ >= 0) ::close(std::exchange(guarded_, -1));
}

// Closed by the other side while it was kept, or with bytes nobody asked for, which would be read
// as the next answer. TLS sends such bytes rightly (session tickets).
bool OutgoingConnection::stale() const {
  const std::lock_guard lock(mutex_);
  pollfd look{guarded_, POLLIN | POLLRDHUP, 0};
  return !origin_.tls && guarded_ >= 0 && ::poll(&look, 1, 0) != 0;
}

void OutgoingConnection::open(MonoTime until) {
  if (client_->is_socket_open() != 0 && stale()) close();
  if (client_->is_socket_open() == 0 && !origin_.tls) {
    rehearse(until);
    if (!connect(until)) close();  // the call that needs it will say why
  }
}

// The first call of a thread touches a dozen pages of its stack and heap that nobody has touched,
// which costs it as much again as the call, and the threads of a client begin together. So one goes
// through the same code now, over two sockets that are each other's other end; its answer lies
// ready.
void OutgoingConnection::rehearse(MonoTime until) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  static_cast<PlainClient&>(*client_).adopt(ends[0]);  // close() closes it
  if (::write(ends[1], kRehearsedAnswer.data(), kRehearsedAnswer.size()) > 0) {
    const HttpCall call = rehearsed_call(origin_.path);
    Body body{call, {}, options_.max_body};
    static_cast<void>(exchange(call, false, until, body));
  }
  close();
  ::close(ends[1]);
}

// Tries the host's addresses, beginning with the one that answered last.
base::Status OutgoingConnection::connect(MonoTime until) {
  const auto addresses = lookup_.addresses(std::min(until, base::mono_now() + options_.connect));
  if (!addresses) return fail(addresses.error());
  addresses_ = addresses->size();
  began_ = base::mono_now();
  auto error = httplib::Error::Connection;
  for (std::size_t tried = 0; tried < addresses->size(); ++tried, ++address_) {
    address_ %= addresses->size();
    client_->set_hostname_addr_map({{origin_.host, (*addresses)[address_]}});
    const auto limit = std::min<microseconds>(options_.connect, left(until));
    client_->set_connection_timeout(limit);
    connect_time_ = microseconds(0);
    if (origin_.tls) return {};  // made by the call
    error = static_cast<PlainClient&>(*client_).connect();
    if (error == httplib::Error::Success) {
      connect_time_ = base::mono_now() - began_;
      return {};
    }
    made_ = false;
    if (base::mono_now() >= until) break;
  }
  lookup_.forget();
  return fail(broken(static_cast<int>(error), until));
}

// Sends nothing less than a whole packet until told off (or for 200 ms, the kernel's own limit).
void OutgoingConnection::gather(bool on) {
  const int value = on ? 1 : 0;
  const std::lock_guard lock(mutex_);
  if (guarded_ >= 0) ::setsockopt(guarded_, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

void OutgoingConnection::begin() {
  const std::lock_guard lock(mutex_);
  cut_ = false;
}

// ── A call ───────────────────────────────────────────────────────────────────────────────────────

OutgoingConnection::Outcome OutgoingConnection::call(const HttpCall& call, bool gzip,
                                                     MonoTime until,
                                                     const std::function<void()>& settled) {
  Outcome outcome{fail(ErrorCode::Internal, ""), false, microseconds(0), false};
  if (client_->is_socket_open() != 0 && stale()) close();
  const bool was_open = client_->is_socket_open() != 0;
  if (!was_open) {
    if (auto connected = connect(until); !connected) {
      outcome.reply = fail(connected.error());
      return outcome;
    }
  }
  Body body{call, settled, options_.max_body};
  outcome.reply = exchange(call, gzip, until, body);
  if (silent_ && call.repeatable && was_open && !fresh_ && connect(until)) {
    outcome.reply = exchange(call, gzip, until, body);
  }
  for (std::size_t tried = 1; not_sent_ && tried < addresses_ && base::mono_now() < until;
       ++tried) {
    if (auto connected = connect(until); !connected) break;
    outcome.reply = exchange(call, gzip, until, body);
  }
  outcome.made = std::exchange(made_, false) && outcome.reply;
  outcome.connect_time = connect_time_;
  outcome.reused = was_open && !fresh_;
  if (outcome.reply) fresh_ = false;
  return outcome;
}

base::Result<HttpReply> OutgoingConnection::exchange(const HttpCall& call, bool gzip,
                                                     MonoTime until, Body& body) {
  httplib::Request request;
  request.method = call.method;
  request.path = call.path;
  request.headers.emplace("User-Agent", kAgent);
  for (const auto& [name, value] : call.headers) request.headers.emplace(name, value);
  const std::string zipped = gzip ? packed(call.body) : "";
  const std::string& content = gzip ? zipped : call.body;
  if (origin_.tls || content.empty()) {
    request.body = content;
  } else {
    // cpp-httplib writes the head and the body by themselves: two packets, and two times that the
    // other side wakes up.
    request.content_length_ = content.size();
    request.content_provider_ = [this, &content](std::size_t offset, std::size_t length,
                                                 httplib::DataSink& sink) {
      sink.write(content.data() + offset, length);  // a failure is told by cpp-httplib itself
      gather(false);
      return true;
    };
    gather(true);
  }
  if (gzip) request.headers.emplace("Content-Encoding", "gzip");
  if (!call.body.empty()) request.headers.emplace("Content-Type", call.content_type);
  request.response_handler = [&body](const httplib::Response& head) { return body.begin(head); };
  request.content_receiver = [&body](const char* bytes, std::size_t count, std::uint64_t,
                                     std::uint64_t) { return body.take(bytes, count); };
  const auto limit = std::min<microseconds>(options_.read, left(until) + kBehindGuard);
  client_->set_read_timeout(limit);
  client_->set_write_timeout(limit);
  httplib::Response response;
  auto error = httplib::Error::Success;
  const bool answered = client_->send(request, response, error);
  silent_ = !answered && response.status < 0 && base::mono_now() < until && !was_cut() &&
            (error == httplib::Error::Read || error == httplib::Error::Write);
  not_sent_ = !answered && was_not_sent(error);
  if (!answered || body.too_large) {
    close();
    if (not_sent_) ++address_;  // another one of the host, if it has any
    if (body.too_large) {
      return fail(ErrorCode::Unavailable, origin_.str() + " answered more than " +
                                              std::to_string(options_.max_body) + " bytes");
    }
    if (!body.enough) return fail(broken(static_cast<int>(error), until));
  }
  HttpReply reply;
  reply.status = response.status;
  for (const auto& [name, value] : response.headers) reply.headers.emplace_back(lower(name), value);
  reply.body = std::move(body.text);
  return reply;
}

Error OutgoingConnection::broken(int code, MonoTime until) const {
  const auto error = static_cast<httplib::Error>(code);
  const std::string who = origin_.str();
  if (was_cut() || base::mono_now() >= until) {
    return {ErrorCode::Deadline, who + " did not answer in time", 0};
  }
  switch (error) {
    case httplib::Error::Connection:
      return {ErrorCode::Unavailable, who + " takes no connection", 0};
    case httplib::Error::ConnectionTimeout:
      return {ErrorCode::Deadline, who + " did not take a connection in time", 0};
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
      return {ErrorCode::Unavailable, who + ": no TLS connection is made", 0};
    case httplib::Error::SSLServerVerification:
      return {ErrorCode::Unavailable, who + ": its certificate is not trusted", 0};
    default:
      return {ErrorCode::Unavailable,
              who + " closed the connection or was silent for too long (" +
                  httplib::to_string(error) + ")",
              0};
  }
}

}  // namespace mahavishnu::net
