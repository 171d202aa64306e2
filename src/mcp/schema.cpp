// The one file that includes valijson (it costs 12 s to compile).
#define VALIJSON_USE_EXCEPTIONS 1  // or it aborts on what is no schema

#include "mcp/schema.h"

#include <cmath>
#include <exception>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "mcp/schema_explain.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

constexpr std::size_t kMostViolations = 5;

// 5.0 → 5 wherever a double holds an integer exactly; true when anything changed.
bool integers_from_doubles(Json& value) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) != number || std::abs(number) > 9007199254740992.0) return false;
    value = static_cast<std::int64_t>(number);
    return true;
  }
  bool changed = false;
  if (value.is_structured()) {
    for (Json& member : value) changed = integers_from_doubles(member) || changed;
  }
  return changed;
}

// The fallback's sentence. valijson's context is "<root>", "[key]", "[0]", and it does not say what
// came.
std::string sentence_of(const valijson::ValidationResults::Error& error, const Json& document,
                        std::string_view root) {
  std::string path(root);
  const Json* value = &document;
  for (std::size_t i = 1; i < error.context.size(); ++i) {
    const std::string& step = error.context[i];
    const std::string key = step.size() > 2 ? step.substr(1, step.size() - 2) : step;
    path += "/" + key;
    const Json::json_pointer pointer = Json::json_pointer() / key;
    value = value != nullptr && value->contains(pointer) ? &value->at(pointer) : nullptr;
  }
  return path + ": " + error.description +
         (value != nullptr ? " It got " + describe(*value) + "." : "");
}

}  // namespace

struct Schema::Compiled {
  Json document;
  std::string text;
  valijson::Schema schema;
  valijson::Validator validator;  // strict types
  bool takes_nothing = false;     // an empty object meets it
};

Schema::Schema(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

const std::string& Schema::text() const { return compiled_->text; }

base::Result<Schema> Schema::compile(std::string_view text) {
  auto compiled = std::make_unique<Compiled>();
  try {
    compiled->document = Json::parse(text);
    if (!compiled->document.is_object() || !compiled->document.contains("type") ||
        compiled->document["type"] != "object") {
      return base::fail(base::ErrorCode::InvalidArgument,
                        "a tool's schema must have \"type\": \"object\" at its top");
    }
    valijson::SchemaParser parser;
    parser.populateSchema(Adapter(compiled->document), compiled->schema);
  } catch (const std::exception& e) {
    return base::fail(base::ErrorCode::InvalidArgument, std::string("not a schema: ") + e.what());
  }
  const Json nothing = Json::object();
  compiled->takes_nothing =
      compiled->validator.validate(compiled->schema, Adapter(nothing), nullptr);
  // A line feed cannot stand inside a JSON string, and must not stand in a message on stdio.
  for (const char c : text) compiled->text += c == '\n' || c == '\r' ? ' ' : c;
  return Schema(std::move(compiled));
}

std::vector<std::string> Schema::violations(Json& document, std::string_view root) const {
  Compiled& c = *compiled_;
  if (document.is_object() && document.empty() && c.takes_nothing) return {};
  if (c.validator.validate(c.schema, Adapter(document), nullptr)) return {};
  if (integers_from_doubles(document) &&
      c.validator.validate(c.schema, Adapter(document), nullptr)) {
    return {};
  }
  auto sentences = explain_violations(c.document, document, root, kMostViolations);
  if (!sentences.empty()) return sentences;
  valijson::ValidationResults results;
  c.validator.validate(c.schema, Adapter(document), &results);
  for (const auto& error : results) {
    if (sentences.size() == kMostViolations) break;
    sentences.push_back(sentence_of(error, document, root));
  }
  return sentences;
}

}  // namespace mahavishnu::mcp
