#include "outbound/mcp_protocol.h"

#include <algorithm>
#include <utility>

#include "domain/memories.h"
#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using Kind = Verdict::Kind;

Json client_info() { return {{"name", "mahavishnu"}, {"version", MAHAVISHNU_VERSION}}; }

Verdict trouble(std::string error) { return {Kind::Trouble, std::move(error)}; }

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool names_unknown(std::string_view error) {
  const std::string low = lower(error.substr(0, kErrorBytes));
  const auto tells = [&low](const char* words) { return low.find(words) != std::string::npos; };
  return tells("tool") && (tells("unknown") || tells("not found") || tells("no tool"));
}

// ── What is said ─────────────────────────────────────────────────────────────────────────────────

Json initialize_params() {
  return {{"protocolVersion", kOffered},
          {"capabilities", Json::object()},
          {"clientInfo", client_info()}};
}

Json with_metadata(Json params, bool modern, const Json& progress) {
  if (!modern && progress.is_null()) return params;
  Json& meta = params["_meta"];
  if (modern) {
    meta["io.modelcontextprotocol/protocolVersion"] = kModern;
    meta["io.modelcontextprotocol/clientInfo"] = client_info();
    meta["io.modelcontextprotocol/clientCapabilities"] = Json::object();
  }
  if (!progress.is_null()) meta["progressToken"] = progress;
  return params;
}

bool speaks_modern(const Json& discovered) {
  if (!discovered.is_object()) return false;
  const auto versions = discovered.find("supportedVersions");
  return versions != discovered.end() && versions->is_array() &&
         std::find(versions->begin(), versions->end(), kModern) != versions->end();
}

std::string agreed_version(const Json& initialized) {
  const bool told = initialized.is_object() && initialized.contains("protocolVersion") &&
                    initialized["protocolVersion"].is_string();
  return told ? initialized["protocolVersion"].get<std::string>() : kOffered;
}

std::string request_body(std::int64_t id, const std::string& method, Json params) {
  Json body{{"jsonrpc", "2.0"}, {"method", method}};
  if (id > 0) body["id"] = id;
  if (!params.is_null()) body["params"] = std::move(params);
  return rpc::dump(body);
}

std::string pong_body(const Json& id) {
  return rpc::dump({{"jsonrpc", "2.0"}, {"id", id}, {"result", Json::object()}});
}

std::string not_served_body(const Json& id, const std::string& method) {
  return rpc::dump({{"jsonrpc", "2.0"},
                    {"id", id},
                    {"error", {{"code", -32601}, {"message", method + " is not served here"}}}});
}

// ── What is told ─────────────────────────────────────────────────────────────────────────────────

bool answers(const Json& message, std::int64_t id) {
  return message.is_object() && message.contains("id") && message["id"] == id &&
         (message.contains("result") || message.contains("error"));
}

Json find_answer(const std::string& content_type, std::string_view body, std::int64_t id) {
  if (lower(content_type).find("text/event-stream") == std::string::npos) {
    Json message = parsed(body);
    return answers(message, id) ? message : Json();
  }
  for (Json& message : EventReader().take(body, true)) {
    if (answers(message, id)) return std::move(message);
  }
  return {};
}

Verdict judge_error(const Json& error) {
  int code = 0;
  std::string text = "an error without words";
  if (error.is_object()) {
    if (error.contains("code") && error["code"].is_number_integer()) code = error["code"];
    if (error.contains("message") && error["message"].is_string()) text = error["message"];
  }
  text = cut(text, kErrorBytes);
  if (code == rpc::error_code::kInvalidParams) return {Kind::Refused, text, {}, code};
  return {Kind::Trouble, "it answered error " + std::to_string(code) + ": " + text, {}, code};
}

Verdict judge_error(const rpc::RpcError& error) {
  return judge_error(Json{{"code", error.code}, {"message", error.message}});
}

Verdict judge_status(const net::HttpReply& reply, bool in_session) {
  const std::string said = "it answered HTTP " + std::to_string(reply.status);
  const std::string body = cut(reply.body, kErrorBytes);
  if (reply.status >= 300 && reply.status < 400) {
    return trouble(said + ", a redirect to " + cut(reply.header("location"), kErrorBytes) +
                   "; set the url to where it is");
  }
  const bool of_session = lower(body).find("session") != std::string::npos;
  if (in_session && (reply.status == 404 || (reply.status == 400 && of_session))) {
    return {Kind::Expired, said};
  }
  if (reply.status == 400 || reply.status == 413 || reply.status == 422) {
    return {Kind::Refused, said + ": " + body};
  }
  if (reply.status == 401 || reply.status == 403) {
    return trouble(said + "; give it a token with token_file");
  }
  return trouble(said + (body.empty() ? "" : ": " + body));
}

Verdict judge_rpc(const base::Result<net::HttpReply>& reply, std::int64_t id, bool in_session) {
  if (!reply) {
    const bool stopped = reply.error().code == base::ErrorCode::Cancelled;
    return {stopped ? Kind::Cancelled : Kind::Trouble,
            reply.error().message,
            {},
            0,
            reply.error().code};
  }
  if (reply->status < 200 || reply->status >= 300) {
    Verdict verdict = judge_status(*reply, in_session);
    if (verdict.kind == Kind::Expired) return verdict;
    // Since 2026-07-28 an error has a status beside its body, and the body says more.
    const Json message = find_answer(reply->header("content-type"), reply->body, id);
    if (!message.contains("error")) return verdict;
    Verdict told = judge_error(message["error"]);
    if (told.kind == Kind::Trouble) told.kind = verdict.kind;
    return told;
  }
  Json message = find_answer(reply->header("content-type"), reply->body, id);
  if (message.is_null()) {
    return trouble("it answered with something else than an answer: " +
                   cut(domain::plain_text(reply->body), 80));
  }
  if (!message.contains("error")) return {Kind::Accepted, "", std::move(message["result"])};
  return judge_error(message["error"]);
}

std::string text_of(const Json& result) {
  std::string text;
  const auto content = result.find("content");
  if (content == result.end() || !content->is_array()) return text;
  for (const auto& part : *content) {
    if (part.is_object() && part.value("type", "") == "text" && part.contains("text") &&
        part["text"].is_string()) {
      text += (text.empty() ? "" : "\n") + part["text"].get<std::string>();
    }
  }
  return text;
}

}  // namespace mahavishnu::outbound
