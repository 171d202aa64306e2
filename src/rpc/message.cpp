#include "rpc/message.h"

#include "rpc/codec.h"

namespace mahavishnu::rpc {

std::string RequestId::to_json() const {
  if (const auto* number = std::get_if<Number>(&value)) return number->text;
  std::string text;
  if (const auto* name = std::get_if<std::string>(&value)) {
    append_json_string(text, *name);
  } else {
    text = "null";
  }
  return text;
}

}  // namespace mahavishnu::rpc
