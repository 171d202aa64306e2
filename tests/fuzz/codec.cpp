// rpc/codec. For every text:
// - what decode took is what nlohmann, an independent reader, reads; what decode calls no JSON is
//   none for it either (but for what the codec refuses by choice);
// - decode(encode(message)) is the message;
// - setting the metadata aside loses nothing, and the cheap reader of heads agrees;
// - a refusal is an answer that can be sent and read; any bytes can be sent as a string.
#include "rpc/codec.h"

#include "fuzz.h"

namespace mahavishnu::fuzzing {
namespace {

using namespace rpc;

constexpr const char* kMeta = "_meta";

Json id_of(const RequestId& id) { return Json::parse(id.to_json()); }

bool same(const RpcError& a, const RpcError& b) {
  return a.code == b.code && a.message == b.message && a.data == b.data;
}

Message only(const std::string& text) {
  Decoded decoded = decode(text);
  expect(decoded.messages.size() == 1 && !decoded.batch, "one message encodes to one message");
  return std::move(decoded.messages.front());
}

Json with_metadata(Json params, const std::shared_ptr<const Json>& metadata) {
  if (metadata) params[kMeta] = *metadata;
  return params;
}

// Each kind: encoded, decoded, compared, and compared with the text's own document.
struct Check {
  const Json& document;  // what the independent reader made of the message

  void operator()(const Request& request) const {
    const auto again = only(encode_request(request.id, request.method, request.params));
    const auto* same_one = std::get_if<Request>(&again);
    expect(same_one != nullptr, "a request encodes to a request");
    expect(same_one->id == request.id, "a request's id comes back to the byte");
    expect(same_one->method == request.method && same_one->params == request.params,
           "a request comes back");
    expect(id_of(request.id) == document["id"], "the id is the text's");
    check_call(request.method, request.params);
  }
  void operator()(const Notification& notification) const {
    const auto again = only(encode_notification(notification.method, notification.params));
    const auto* same_one = std::get_if<Notification>(&again);
    expect(same_one != nullptr && same_one->method == notification.method &&
               same_one->params == notification.params,
           "a notification comes back");
    expect(!document.contains("id"), "what has an id is no notification");
    check_call(notification.method, notification.params);
  }
  void operator()(const Response& response) const {
    const auto* error = std::get_if<RpcError>(&response.outcome);
    const auto again =
        only(error ? encode_error(response.id, *error)
                   : encode_result(response.id, dump(std::get<Json>(response.outcome))));
    const auto* same_one = std::get_if<Response>(&again);
    expect(same_one != nullptr && same_one->id == response.id, "a response comes back");
    expect(same_one->outcome.index() == response.outcome.index(), "success stays success");
    if (error) {
      expect(same(*error, std::get<RpcError>(same_one->outcome)), "an error comes back");
      expect(document["error"]["code"] == error->code, "the code is the text's");
    } else {
      expect(std::get<Json>(same_one->outcome) == std::get<Json>(response.outcome),
             "a result comes back");
      expect(document["result"] == std::get<Json>(response.outcome), "the result is the text's");
    }
  }
  void operator()(const Malformed& malformed) const { check_refusal(malformed); }

  static void check_refusal(const Malformed& malformed) {
    expect(malformed.error.code == error_code::kParseError ||
               malformed.error.code == error_code::kInvalidRequest,
           "a refusal has one of two codes");
    expect(!malformed.error.message.empty(), "a refusal says why");
    const auto again = only(encode_error(malformed.id, malformed.error));
    // An id that JSON has and that nothing can hold is echoed, and so cannot be read again here.
    const auto* answer = std::get_if<Response>(&again);
    expect(answer == nullptr || answer->id == malformed.id, "a refusal's id comes back");
    if (answer == nullptr) {
      const auto* number = std::get_if<RequestId::Number>(&malformed.id.value);
      expect(number != nullptr && malformed.error.code == error_code::kInvalidRequest,
             "only an outsized number makes an answer unreadable");
    }
  }

 private:
  void check_call(const std::string& method, const Json& params) const {
    expect(document["method"] == method, "the method is the text's");
    expect(document.value("params", Json()) == params, "the params are the text's");
  }
};

void check_aside(const Message& plain, const Message& aside) {
  expect(plain.index() == aside.index(), "metadata set aside changes no kind");
  if (const auto* request = std::get_if<Request>(&plain)) {
    const auto& other = std::get<Request>(aside);
    expect(request->params == with_metadata(other.params, other.metadata), "metadata is kept");
  } else if (const auto* notification = std::get_if<Notification>(&plain)) {
    const auto& other = std::get<Notification>(aside);
    expect(notification->params == with_metadata(other.params, other.metadata), "metadata is kept");
  } else if (const auto* malformed = std::get_if<Malformed>(&plain)) {
    expect(same(malformed->error, std::get<Malformed>(aside).error), "a refusal is the same");
  }
}

void check_heads(std::string_view text, const Decoded& decoded) {
  const auto all = heads(text);
  expect(all.size() <= std::max<std::size_t>(decoded.messages.size(), 1) || !decoded.batch,
         "no more heads than messages");
  if (decoded.batch || decoded.messages.size() != 1) return;
  const auto& message = decoded.messages.front();
  if (std::holds_alternative<Malformed>(message)) return;
  expect(all.size() == 1, "a message has a head");
  const auto& head = all.front();
  if (const auto* request = std::get_if<Request>(&message)) {
    expect(head.kind == MessageHead::Kind::Request && head.id == request->id &&
               head.method == request->method,
           "the head of a request");
  } else if (const auto* notification = std::get_if<Notification>(&message)) {
    expect(head.kind == MessageHead::Kind::Notification && head.method == notification->method,
           "the head of a notification");
  } else if (const auto* response = std::get_if<Response>(&message)) {
    expect(head.kind == MessageHead::Kind::Response && head.id == response->id &&
               head.failed == std::holds_alternative<RpcError>(response->outcome),
           "the head of a response");
  }
}

bool is_parse_error(const Decoded& decoded) {
  const auto* refused = std::get_if<Malformed>(&decoded.messages.front());
  return !decoded.batch && refused != nullptr && refused->error.code == error_code::kParseError;
}

// Any bytes as a JSON string are one, and theirs where they are UTF-8 at all.
void check_string(std::string_view bytes) {
  std::string written;
  append_json_string(written, bytes);
  const Json read = Json::parse(written, nullptr, false);
  expect(read.is_string(), "any bytes make a string");
  const auto& back = read.get_ref<const std::string&>();
  const Json by_others = Json::parse(dump(Json(bytes)), nullptr, false);
  expect(back == bytes || by_others != Json(bytes), "UTF-8 comes back as it was");
  expect(back.find("\xEF\xBF\xBD") != back.npos || back == bytes, "only U+FFFD replaces");
}

void check(std::string_view text) {
  const Decoded decoded = decode(text);
  expect(!decoded.messages.empty(), "there is always a message");
  expect(decoded.batch || decoded.messages.size() == 1, "only a batch has several");
  // Neither is JSON: nlohmann skips the first and ends at the second.
  const bool bom = text.starts_with("\xEF\xBB\xBF");
  const bool nul = text.find('\0') != text.npos;
  const Json document =
      bom || nul ? Json(Json::value_t::discarded) : Json::parse(text, nullptr, false);
  if (is_parse_error(decoded)) {
    expect(document.is_discarded(), "what is a parse error here is no JSON elsewhere");
  }
  for (std::size_t i = 0; i < decoded.messages.size(); ++i) {
    const auto& message = decoded.messages[i];
    if (const auto* malformed = std::get_if<Malformed>(&message)) {
      Check::check_refusal(*malformed);
      continue;
    }
    expect(!document.is_discarded(), "what is taken here is JSON elsewhere");
    std::visit(Check{decoded.batch ? document[i] : document}, message);
  }
  const Decoded aside = decode(text, {}, kMeta);
  expect(aside.batch == decoded.batch && aside.messages.size() == decoded.messages.size(),
         "metadata set aside changes no count");
  for (std::size_t i = 0; i < decoded.messages.size(); ++i) {
    check_aside(decoded.messages[i], aside.messages[i]);
  }
  check_heads(text, decoded);
  if (const auto plain = parse(text)) {
    expect(!document.is_discarded() && *plain == document, "parse reads what others read");
    expect(*parse(dump(*plain)) == *plain, "a document comes back");
  } else {
    expect(!plain.error().message.empty(), "a refused document has a reason");
  }
}

}  // namespace

// Twice, with other digits (but "2.0" stays): what is kept from one text must not be taken for
// another.
void fuzz(std::string_view text) {
  check_string(text);
  check(text);
  std::string other(text);
  for (char& c : other) {
    if (c == '1' || (c >= '3' && c <= '8')) c = static_cast<char>(c == '1' ? '3' : c + 1);
  }
  check(other);
}

}  // namespace mahavishnu::fuzzing
