// How answers of OpenSearch are looked into, whatever was asked.
#pragma once

#include <string>

#include "net/http_client.h"
#include "outbound/replies.h"

namespace mahavishnu::outbound {

inline constexpr const char* kEventTime = "@timestamp";

// Of any document: null or "" where there is no such member.
const Json& member(const Json& object, const char* name);
std::string text_of(const Json& object, const char* name);

inline bool is_success(int status) { return status >= 200 && status < 300; }
// "mapper_parsing_exception: failed to parse field [x]"
std::string words_of(const Json& error);
// Of an answer whose status is no success, with the way out where there is one.
std::string said(const net::HttpReply& reply);
// Of one that is, and holds no answer.
std::string garbage(const net::HttpReply& reply);

}  // namespace mahavishnu::outbound
