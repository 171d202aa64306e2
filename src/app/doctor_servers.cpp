// What `mahavishnu doctor` asks of the servers outside. Nothing is changed there: a HEAD, or what a
// server says of itself.
#include <future>

#include "app/doctor.h"
#include "app/jwt_keys.h"
#include "app/oauth_options.h"
#include "app/outbound_options.h"
#include "net/http_client.h"
#include "outbound/key_source.h"
#include "outbound/opensearch_protocol.h"
#include "rpc/json.h"

namespace mahavishnu::app {
namespace {

using Grade = Finding::Grade;

constexpr base::Millis kPatience{5000};
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;

struct Question {
  std::string what;  // "opensearch"
  std::string url;
  net::HttpClientOptions http;
  net::HttpCall call;  // its path comes from the url
};

// Blocks until the answer or the limit.
base::Result<net::HttpReply> ask(Question& question) {
  question.http.connections = 1;
  question.http.total = std::min(question.http.total, kPatience);
  auto client = net::HttpClient::make(question.url, question.http);
  if (!client) return base::fail(client.error());
  const std::string& path = (*client)->origin().path;
  if (question.call.path.empty()) question.call.path = path.empty() ? "/" : path;
  std::promise<base::Result<net::HttpReply>> promise;
  auto answer = promise.get_future();
  (*client)->send(std::move(question.call),
                  [&promise](auto reply) { promise.set_value(std::move(reply)); });
  auto reply = answer.get();
  (*client)->stop();
  return reply;
}

// `meanwhile`: what becomes of what it should get.
Finding judge(const Question& question, const base::Result<net::HttpReply>& reply,
              const std::string& meanwhile) {
  if (!reply && reply.error().code == base::ErrorCode::InvalidArgument) {
    return {Grade::Fail, question.what, question.what + ".url: " + reply.error().message};
  }
  if (!reply) {
    return {Grade::Warn, question.what, reply.error().message + "; " + meanwhile};
  }
  const std::string status = "HTTP " + std::to_string(reply->status);
  if (reply->status == kUnauthorized || reply->status == kForbidden) {
    return {Grade::Warn, question.what,
            question.url + " refuses this server (" + status + "); look at its credentials; " +
                meanwhile};
  }
  if (reply->status == kNotFound) {
    return {Grade::Warn, question.what,
            question.url + " answers that nothing is there (" + status + "); is the path right? " +
                meanwhile};
  }
  if (reply->status >= 500) {
    return {Grade::Warn, question.what,
            question.url + " is in trouble (" + status + "); " + meanwhile};
  }
  return {Grade::Ok, question.what, question.url + " answers (" + status + ")"};
}

Finding examine_session_buddy(const Config& config) {
  Question question{"session_buddy", config.text("session_buddy.url"), {}, {}};
  auto options = buddy_options(config);
  if (!options) return {Grade::Fail, question.what, options.error().message};
  question.http = options->http;
  question.call.method = "HEAD";
  question.call.path.clear();
  const std::string& token = options->session.token;
  if (!token.empty()) question.call.headers.emplace_back("Authorization", "Bearer " + token);
  const auto reply = ask(question);
  return judge(question, reply, "memories wait in the outbox meanwhile");
}

Finding examine_opensearch(const Config& config) {
  Question question{"opensearch", config.text("opensearch.url"), {}, {}};
  auto options = opensearch_options(config, "");
  if (!options) return {Grade::Fail, question.what, options.error().message};
  question.http = options->http;
  question.call.method = "GET";
  question.call.path.clear();
  const std::string credentials = outbound::basic_credentials(options->user, options->password);
  if (!credentials.empty()) question.call.headers.emplace_back("Authorization", credentials);
  const auto reply = ask(question);
  Finding finding = judge(question, reply, "events wait in the history meanwhile");
  if (finding.grade != Grade::Ok) return finding;
  const auto about = rpc::Json::parse(reply->body, nullptr, false);
  const auto number = about.is_discarded()
                          ? rpc::Json()
                          : about.value(rpc::Json::json_pointer("/version/number"), rpc::Json());
  if (!number.is_string()) {
    return {Grade::Warn, question.what,
            question.url + " answers, but does not say that it is OpenSearch; is the URL right?"};
  }
  finding.text += ", version " + number.get<std::string>();
  return finding;
}

// Whose keys they are is asked as the server asks it.
Finding examine_issuer(const Config& config) {
  const std::string what = "oauth";
  auto options = oauth_options(config);
  if (!options) return {Grade::Fail, what, options.error().message};
  const std::string issuer = (*options)->keys.issuer;
  (*options)->keys.http.total = kPatience;
  auto source = outbound::IssuerKeys::make(std::move((*options)->keys));
  if (!source) return {Grade::Fail, what, source.error().message};
  const auto text = (*source)->fetch();
  const auto keys = text ? JwtKeys::parse(*text) : base::fail(text.error());
  if (!keys) {
    return {Grade::Warn, what,
            keys.error().message + "; its tokens are answered 503 until there are keys"};
  }
  return {
      Grade::Ok, what,
      issuer + " lists " + std::to_string((*keys)->size()) + " keys that tokens are signed with"};
}

}  // namespace

std::vector<Finding> examine_servers(const Config& config) {
  std::vector<Finding> findings;
  if (!config.text("session_buddy.url").empty()) {
    findings.push_back(examine_session_buddy(config));
  }
  if (!config.text("opensearch.url").empty()) findings.push_back(examine_opensearch(config));
  if (!config.text("http.oauth.issuer").empty()) findings.push_back(examine_issuer(config));
  return findings;
}

}  // namespace mahavishnu::app
