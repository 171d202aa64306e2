// Text → messages. The naive way, nlohmann for everything, costs 6 µs a call; simdjson's DOM
// validates the same text in 0.1 µs, and only what the inside works with (params, results) becomes
// a document. simdjson refuses some valid JSON (integers beyond 64 bits, 1e400): such a text is
// parsed once more with a 0 in their place, to tell it from a broken one and to find its id.
#include "rpc/codec.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "rpc/known_documents.h"
#include "rpc/number_scan.h"

namespace mahavishnu::rpc {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr std::size_t kKeptParserBytes = 64 * 1024;  // beyond it a parser of its own, freed after
constexpr std::size_t kMaxIdText = 256;              // a longer number is not echoed

Malformed malformed(RequestId id, int code, std::string message) {
  return {std::move(id), {code, std::move(message), nullptr}};
}

Malformed invalid(RequestId id, std::string message) {
  return malformed(std::move(id), error_code::kInvalidRequest, "invalid request: " + message);
}

// By value: `value_unsafe()` is a reference into a temporary, which a range-for would outlive.
simdjson::dom::object object_of(const element& from) { return from.get_object().value_unsafe(); }
simdjson::dom::array array_of(const element& from) { return from.get_array().value_unsafe(); }

// DOM → document, with the two checks that simdjson leaves to its user.
class Conversion {
 public:
  explicit Conversion(std::size_t max_depth) : max_depth_(max_depth) {}

  // `depth` is how many arrays and objects are around `from`. False: `reason` says why.
  bool convert(const element& from, Json& to, std::size_t depth) {
    switch (from.type()) {
      case element_type::OBJECT:
        return convert_object(from, to, depth + 1);
      case element_type::ARRAY:
        return convert_array(from, to, depth + 1);
      case element_type::STRING:
        to = std::string(from.get_string().value_unsafe());
        break;
      case element_type::DOUBLE:
        to = from.get_double().value_unsafe();
        break;
      case element_type::UINT64:
        to = from.get_uint64().value_unsafe();
        break;
      case element_type::BOOL:
        to = from.get_bool().value_unsafe();
        break;
      case element_type::NULL_VALUE:
        to = nullptr;
        break;
      case element_type::INT64: {
        const std::int64_t value = from.get_int64().value_unsafe();
        if (value < 0) {
          to = value;
        } else {
          to = static_cast<std::uint64_t>(value);  // as nlohmann's own parser has it
        }
      }
    }
    return true;
  }

  bool fail_duplicate(std::string_view key) {
    reason = "the key ";
    append_json_string(reason, key.substr(0, 100));
    reason += " is there twice in one object";
    return false;
  }

  bool check_depth(std::size_t depth) {
    if (depth <= max_depth_) return true;
    reason = "it is nested deeper than " + std::to_string(max_depth_) + " levels";
    return false;
  }

  std::string reason;

 private:
  bool convert_object(const element& from, Json& to, std::size_t depth) {
    if (!check_depth(depth)) return false;
    to = Json::object();
    auto& members = to.get_ref<Json::object_t&>();
    for (const auto [key, value] : object_of(from)) {
      const auto [at, fresh] = members.try_emplace(std::string(key));
      if (!fresh) return fail_duplicate(key);
      if (!convert(value, at->second, depth)) return false;
    }
    return true;
  }

  bool convert_array(const element& from, Json& to, std::size_t depth) {
    if (!check_depth(depth)) return false;
    to = Json::array();
    auto& items = to.get_ref<Json::array_t&>();
    const auto array = array_of(from);
    items.reserve(array.size());
    for (const auto value : array) {
      if (!convert(value, items.emplace_back(), depth)) return false;
    }
    return true;
  }

  std::size_t max_depth_;
};

// The text behind a DOM, for what the DOM does not keep.
struct Source {
  std::string_view text;
  bool batch = false;
  bool exact_numbers = true;       // false: outsized numbers stand in the DOM as 0
  std::string_view metadata = {};  // the member of params that is set aside
  KnownDocuments* known = nullptr;
};

std::string number_text(const element& id, const Source& source, std::size_t index) {
  std::array<char, 40> digits{};
  const auto print = [&](auto value) {
    return std::string(digits.data(),
                       std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  };
  const bool is_double = id.is_double();
  const bool maybe_minus_zero = !is_double && id.is_int64() && id.get_int64().value_unsafe() == 0 &&
                                source.text.find("-0") != std::string_view::npos;
  if (is_double || maybe_minus_zero || !source.exact_numbers) {
    const auto written = raw_id(source.text, source.batch, index);
    if (!written.empty() && written.size() <= kMaxIdText) return std::string(written);
    if (!source.exact_numbers) return {};
  }
  if (is_double) return print(id.get_double().value_unsafe());
  if (id.is_int64()) return print(id.get_int64().value_unsafe());
  return print(id.get_uint64().value_unsafe());
}

// nullopt: not an id, or not readable.
std::optional<RequestId> read_id(const element& id, const Source& source, std::size_t index) {
  if (id.is_null()) return RequestId{};
  if (id.is_string()) return RequestId{std::string(id.get_string().value_unsafe())};
  if (!id.is_number()) return std::nullopt;
  auto text = number_text(id, source, index);
  if (text.empty()) return std::nullopt;
  return RequestId{RequestId::Number{std::move(text)}};
}

using Metadata = std::shared_ptr<const Json>;

// The members of one message object, found in one pass.
struct Envelope {
  std::optional<element> jsonrpc, id, method, params, result, error;
  bool id_twice = false;

  std::optional<element>* slot(std::string_view key) {
    switch (key.size()) {
      case 2:
        return key == "id" ? &id : nullptr;
      case 5:
        return key == "error" ? &error : nullptr;
      case 6:
        return key == "method"   ? &method
               : key == "params" ? &params
               : key == "result" ? &result
                                 : nullptr;
      case 7:
        return key == "jsonrpc" ? &jsonrpc : nullptr;
      default:
        return nullptr;
    }
  }
};

class MessageReader {
 public:
  MessageReader(const Source& source, const DecodeLimits& limits)
      : source_(source), conversion_(limits.max_depth), depth_(source.batch ? 1 : 0) {}

  Message read(const element& from, std::size_t index) {
    if (!from.is_object()) return invalid({}, "a message is an object");
    Envelope envelope;
    bool good = conversion_.check_depth(depth_ + 1);
    Json unknown = Json::object();  // converted for its checks, then dropped
    for (const auto [key, value] : object_of(from)) {
      if (auto* slot = envelope.slot(key)) {
        if (!slot->has_value()) {
          *slot = value;
        } else {
          if (slot == &envelope.id) envelope.id_twice = true;
          if (good) good = conversion_.fail_duplicate(key);
        }
      } else if (good) {
        const auto [at, fresh] = unknown.get_ref<Json::object_t&>().try_emplace(std::string(key));
        good = fresh ? conversion_.convert(value, at->second, depth_ + 1)
                     : conversion_.fail_duplicate(key);
      }
    }
    RequestId id;
    if (envelope.id && !envelope.id_twice) {
      auto readable = read_id(*envelope.id, source_, index);
      if (!readable && good) {
        good = false;
        conversion_.reason = "the id must be a string, a number or null";
      }
      if (readable) id = std::move(*readable);
    }
    if (!good) return invalid(std::move(id), std::move(conversion_.reason));
    return classify(envelope, std::move(id));
  }

 private:
  Message classify(const Envelope& envelope, RequestId id) {
    if (!envelope.jsonrpc || !envelope.jsonrpc->is_string() ||
        envelope.jsonrpc->get_string().value_unsafe() != "2.0") {
      return invalid(std::move(id), "\"jsonrpc\" must be \"2.0\"");
    }
    if (envelope.method) return call(envelope, std::move(id));
    if (envelope.result || envelope.error) return response(envelope, std::move(id));
    return invalid(std::move(id), "it has no \"method\", and no \"result\" or \"error\"");
  }

  Message call(const Envelope& envelope, RequestId id) {
    if (envelope.result || envelope.error) {
      return invalid(std::move(id), "a message with \"method\" has no \"result\" or \"error\"");
    }
    if (!envelope.method->is_string()) return invalid(std::move(id), "\"method\" must be a string");
    Json params;
    Metadata metadata;
    if (envelope.params) {
      if (!envelope.params->is_object() && !envelope.params->is_array()) {
        return invalid(std::move(id), "\"params\" must be an object or an array");
      }
      if (!convert_params(*envelope.params, params, metadata)) return refused(std::move(id));
    }
    std::string method(envelope.method->get_string().value_unsafe());
    if (!envelope.id) {
      return Notification{std::move(method), std::move(params), std::move(metadata)};
    }
    return Request{std::move(id), std::move(method), std::move(params), std::move(metadata)};
  }

  bool convert_params(const element& from, Json& params, Metadata& metadata) {
    if (source_.metadata.empty() || !from.is_object()) return convert(from, params);
    params = Json::object();
    auto& members = params.get_ref<Json::object_t&>();
    for (const auto [key, value] : object_of(from)) {
      if (key == source_.metadata) {
        if (metadata) return conversion_.fail_duplicate(key);
        if (!set_aside(value, metadata)) return false;
        continue;
      }
      const auto [at, fresh] = members.try_emplace(std::string(key));
      if (!fresh) return conversion_.fail_duplicate(key);
      if (!conversion_.convert(value, at->second, depth_ + 2)) return false;
    }
    return true;
  }

  bool set_aside(const element& from, Metadata& metadata) {
    metadata = source_.known->find(from);
    if (metadata) return true;
    Json document;
    if (!conversion_.convert(from, document, depth_ + 2)) return false;
    metadata = std::make_shared<const Json>(std::move(document));
    source_.known->add(from, metadata);
    return true;
  }

  Message response(const Envelope& envelope, RequestId id) {
    if (envelope.result && envelope.error) {
      return invalid(std::move(id), "a response has \"result\" or \"error\", not both");
    }
    if (!envelope.id) return invalid(std::move(id), "a response must have an \"id\"");
    Json body;
    if (!convert(envelope.result ? *envelope.result : *envelope.error, body)) {
      return refused(std::move(id));
    }
    if (envelope.result) return Response{std::move(id), std::move(body)};
    return error_response(std::move(body), std::move(id));
  }

  static Message error_response(Json error, RequestId id) {
    if (!error.is_object() || !error.contains("code") || !error["code"].is_number_integer() ||
        !error.contains("message") || !error["message"].is_string()) {
      return invalid(std::move(id), "\"error\" must have an integer \"code\" and a \"message\"");
    }
    const auto code = error["code"].get<std::int64_t>();
    if (code < std::numeric_limits<int>::min() || code > std::numeric_limits<int>::max()) {
      return invalid(std::move(id), "the code of \"error\" is beyond 32 bits");
    }
    RpcError read{static_cast<int>(code), error["message"].get<std::string>(), nullptr};
    if (error.contains("data")) read.data = std::move(error["data"]);
    return Response{std::move(id), std::move(read)};
  }

  bool convert(const element& from, Json& to) { return conversion_.convert(from, to, depth_ + 1); }

  Message refused(RequestId id) { return invalid(std::move(id), std::move(conversion_.reason)); }

  const Source& source_;
  Conversion conversion_;
  std::size_t depth_;
};

Decoded only(Malformed message) {
  Decoded decoded;
  decoded.messages.emplace_back(std::move(message));
  return decoded;
}

Decoded read_document(const element& root, Source source, const DecodeLimits& limits) {
  Decoded decoded;
  if (!root.is_array()) {
    decoded.messages.push_back(MessageReader(source, limits).read(root, 0));
    return decoded;
  }
  const auto batch = array_of(root);
  if (batch.size() == 0) return only(invalid({}, "the batch is empty"));
  if (batch.size() > limits.max_batch) {
    return only(invalid({}, "a batch holds at most " + std::to_string(limits.max_batch) +
                                " messages; send several"));
  }
  source.batch = decoded.batch = true;
  decoded.messages.reserve(batch.size());
  for (const auto message : batch) {
    MessageReader reader(source, limits);
    decoded.messages.push_back(reader.read(message, decoded.messages.size()));
  }
  return decoded;
}

Decoded broken(simdjson::error_code error) {
  return only(malformed({}, error_code::kParseError,
                        std::string("parse error: ") + simdjson::error_message(error)));
}

// simdjson met a number that it cannot hold, or that is none.
Decoded refuse_number(std::string_view text, simdjson::error_code error) {
  const auto outsized = find_outsized_numbers(text);
  if (!outsized) return broken(error);
  simdjson::dom::parser parser;
  element root;
  if (const auto still = parser.parse(outsized->sane_text).get(root)) return broken(still);
  RequestId id;
  element member;
  if (root.is_object() && object_of(root).at_key("id").get(member) == 0) {
    id = read_id(member, {text, false, false}, 0).value_or(RequestId{});
  }
  return only(invalid(
      std::move(id),
      "the number " + outsized->first + " fits neither 64 bits nor a double; send it as a string"));
}

Decoded decode_with(simdjson::dom::parser& parser, std::string_view text,
                    const DecodeLimits& limits, std::string_view metadata) {
  thread_local KnownDocuments known;
  element root;
  const auto error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::SUCCESS) {
    Source source{text};
    source.metadata = metadata;
    source.known = &known;
    return read_document(root, source, limits);
  }
  if (error == simdjson::NUMBER_ERROR) return refuse_number(text, error);
  if (error == simdjson::DEPTH_ERROR) {
    return only(
        invalid({}, "it is nested deeper than " + std::to_string(limits.max_depth) + " levels"));
  }
  return broken(error);
}

base::Result<Json> parse_with(simdjson::dom::parser& parser, std::string_view text,
                              const DecodeLimits& limits) {
  const auto refused = [](std::string why) {
    return base::fail(base::ErrorCode::InvalidArgument, std::move(why));
  };
  element root;
  const auto error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::NUMBER_ERROR) {
    if (const auto outsized = find_outsized_numbers(text)) {
      return refused("the number " + outsized->first + " fits neither 64 bits nor a double");
    }
  }
  if (error) return refused(std::string("parse error: ") + simdjson::error_message(error));
  Conversion conversion(limits.max_depth);
  Json document;
  if (!conversion.convert(root, document, 0)) return refused(std::move(conversion.reason));
  return document;
}

std::optional<MessageHead> head_of(const element& from, const Source& source, std::size_t index) {
  if (!from.is_object()) return std::nullopt;
  Envelope envelope;
  for (const auto [key, value] : object_of(from)) {
    if (auto* slot = envelope.slot(key)) *slot = value;
  }
  MessageHead head;
  if (envelope.id) {
    auto id = read_id(*envelope.id, source, index);
    if (!id) return std::nullopt;
    head.id = std::move(*id);
  }
  if (envelope.method && envelope.method->is_string()) {
    head.kind = envelope.id ? MessageHead::Kind::Request : MessageHead::Kind::Notification;
    head.method = envelope.method->get_string().value_unsafe();
    return head;
  }
  if (!envelope.result && !envelope.error) return std::nullopt;
  head.kind = MessageHead::Kind::Response;
  head.failed = envelope.error.has_value();
  return head;
}

std::vector<MessageHead> heads_with(simdjson::dom::parser& parser, std::string_view text) {
  std::vector<MessageHead> heads;
  element root;
  if (parser.parse(text.data(), text.size()).get(root)) return heads;
  Source source{text};
  if (!root.is_array()) {
    if (auto head = head_of(root, source, 0)) heads.push_back(std::move(*head));
    return heads;
  }
  source.batch = true;
  std::size_t index = 0;
  for (const auto message : array_of(root)) {
    if (auto head = head_of(message, source, index++)) heads.push_back(std::move(*head));
  }
  return heads;
}

template <class Read>
auto with_parser(std::string_view text, Read read) {
  if (text.size() > kKeptParserBytes) {
    simdjson::dom::parser parser;
    return read(parser);
  }
  thread_local simdjson::dom::parser parser;
  return read(parser);
}

}  // namespace

Decoded decode(std::string_view text, const DecodeLimits& limits, std::string_view metadata) {
  return with_parser(text,
                     [&](auto& parser) { return decode_with(parser, text, limits, metadata); });
}

std::vector<MessageHead> heads(std::string_view text) {
  return with_parser(text, [&](auto& parser) { return heads_with(parser, text); });
}

base::Result<Json> parse(std::string_view text, const DecodeLimits& limits) {
  return with_parser(text, [&](auto& parser) { return parse_with(parser, text, limits); });
}

}  // namespace mahavishnu::rpc
