#include "outbound/key_source.h"

#include <algorithm>
#include <future>
#include <utility>
#include <vector>

#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr int kOk = 200;

// A URL may have a query, which an origin may not.
std::pair<std::string, std::string> split_query(const std::string& url) {
  const auto at = std::min(url.find('?'), url.size());
  return {url.substr(0, at), url.substr(at)};
}

Status check_url(const std::string& url) {
  const auto origin = net::parse_origin(split_query(url).first);
  if (!origin) return fail(origin.error());
  const bool here =
      origin->host == "localhost" || origin->host == "127.0.0.1" || origin->host == "::1";
  if (origin->tls || here) return {};
  return fail(ErrorCode::InvalidArgument,
              "\"" + url + "\" is not https; keys over plain HTTP could be anybody's");
}

// In the order of the MCP specification, "Authorization Server Metadata Discovery".
std::vector<std::string> metadata_urls(const std::string& issuer) {
  const auto start = std::min(issuer.find('/', issuer.find("://") + 3), issuer.size());
  const std::string base = issuer.substr(0, start);
  std::string path = issuer.substr(start);
  if (path.ends_with('/')) path.pop_back();
  std::vector<std::string> urls{base + "/.well-known/oauth-authorization-server" + path,
                                base + "/.well-known/openid-configuration" + path};
  if (!path.empty()) urls.push_back(base + path + "/.well-known/openid-configuration");
  return urls;
}

// Why a metadata document is of no use, or its jwks_uri.
Result<std::string> keys_url(const std::string& body, const std::string& issuer) {
  const auto document = rpc::parse(body);
  if (!document || !document->is_object()) {
    return fail(ErrorCode::Unavailable, "its metadata is no JSON object");
  }
  if (document->value("issuer", rpc::Json()) != issuer) {
    return fail(ErrorCode::Unavailable, "its metadata is of another issuer");
  }
  const auto uri = document->value("jwks_uri", rpc::Json());
  if (!uri.is_string()) return fail(ErrorCode::Unavailable, "its metadata has no jwks_uri");
  if (auto good = check_url(uri.get<std::string>()); !good) {
    return fail(ErrorCode::Unavailable, "its jwks_uri: " + good.error().message);
  }
  return uri.get<std::string>();
}

}  // namespace

Result<std::unique_ptr<IssuerKeys>> IssuerKeys::make(IssuerKeysOptions options) {
  if (auto good = check_url(options.issuer); !good) return fail(good.error());
  if (!options.url.empty()) {
    if (auto good = check_url(options.url); !good) return fail(good.error());
  } else if (options.issuer.find('?') != std::string::npos) {
    return fail(ErrorCode::InvalidArgument, "an issuer has no query: \"" + options.issuer + "\"");
  }
  options.http.connections = 1;
  return std::unique_ptr<IssuerKeys>(new IssuerKeys(std::move(options)));
}

Result<net::HttpReply> IssuerKeys::get(const std::string& url) {
  const auto [place, query] = split_query(url);
  auto made = net::HttpClient::make(place, options_.http);
  if (!made) return fail(made.error());
  const std::shared_ptr<net::HttpClient> client = std::move(*made);
  {
    const std::lock_guard lock(mutex_);
    if (cut_) return fail(ErrorCode::Cancelled, "the server ends");
    asked_ = client;
  }
  net::HttpCall call;
  call.method = "GET";
  // As it was written: a slash at its end is part of it.
  const auto slash = place.find('/', place.find("://") + 3);
  call.path = (slash == std::string::npos ? "/" : place.substr(slash)) + query;
  call.headers = {{"Accept", "application/json"}};
  std::promise<Result<net::HttpReply>> told;
  client->send(std::move(call),
               [&told](Result<net::HttpReply> reply) { told.set_value(std::move(reply)); });
  auto reply = told.get_future().get();
  const std::lock_guard lock(mutex_);
  asked_.reset();
  return reply;
}

Result<std::string> IssuerKeys::discover() {
  std::string why;
  for (const std::string& url : metadata_urls(options_.issuer)) {
    const auto reply = get(url);
    if (!reply) return fail(ErrorCode::Unavailable, url + ": " + reply.error().message);
    if (reply->status != kOk) {
      why = url + " answers HTTP " + std::to_string(reply->status);
      if (reply->status >= 500) break;
      continue;
    }
    auto keys = keys_url(reply->body, options_.issuer);
    if (keys) return keys;
    why = url + ": " + keys.error().message;
  }
  return fail(ErrorCode::Unavailable, why);
}

Result<std::string> IssuerKeys::fetch() {
  auto url = options_.url.empty() ? discover() : Result<std::string>(options_.url);
  if (!url) return url;
  auto reply = get(*url);
  if (!reply) return fail(ErrorCode::Unavailable, *url + ": " + reply.error().message);
  if (reply->status != kOk) {
    return fail(ErrorCode::Unavailable, *url + " answers HTTP " + std::to_string(reply->status));
  }
  return std::move(reply->body);
}

void IssuerKeys::cut() {
  std::shared_ptr<net::HttpClient> asked;
  {
    const std::lock_guard lock(mutex_);
    cut_ = true;
    asked = asked_;
  }
  if (asked) asked->stop();
}

}  // namespace mahavishnu::outbound
