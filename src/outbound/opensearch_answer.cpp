#include "outbound/opensearch_answer.h"

#include "domain/memories.h"

namespace mahavishnu::outbound {

const Json& member(const Json& object, const char* name) {
  static const Json none;
  const auto at = object.find(name);
  return object.is_object() && at != object.end() ? *at : none;
}

std::string text_of(const Json& object, const char* name) {
  const Json& found = member(object, name);
  return found.is_string() ? found.get<std::string>() : "";
}

std::string words_of(const Json& error) {
  if (error.is_string()) return cut(error.get<std::string>(), kErrorBytes);
  const std::string type = text_of(error, "type");
  const std::string reason = text_of(error, "reason");
  return cut(type + (type.empty() || reason.empty() ? "" : ": ") + reason, kErrorBytes);
}

std::string said(const net::HttpReply& reply) {
  const std::string text = "it answered HTTP " + std::to_string(reply.status);
  if (reply.status >= 300 && reply.status < 400) {
    return text + ", a redirect to " + cut(reply.header("location"), kErrorBytes) +
           "; set opensearch.url to where it is";
  }
  if (reply.status == 401) return text + "; set opensearch.user and opensearch.password_file";
  std::string words = words_of(member(parsed(reply.body), "error"));
  if (words.empty()) words = cut(domain::plain_text(reply.body), kErrorBytes);
  return text + (words.empty() ? "" : ": " + words);
}

std::string garbage(const net::HttpReply& reply) {
  return "it answered with something else than an answer: " +
         cut(domain::plain_text(reply.body), 80);
}

}  // namespace mahavishnu::outbound
