// Short texts from outside: times (base/time), ULIDs (base/ids), sizes and durations
// (app/settings), addresses (app/address). What is taken is what an independent reader makes of it,
// is printed and read back the same, and is within its range; what is not says why.
#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <optional>

#include "app/address.h"
#include "app/settings.h"
#include "base/ids.h"
#include "base/time.h"
#include "fuzz.h"

namespace mahavishnu::fuzzing {
namespace {

using Integer = __int128;

// "2026-11-21T19:35:55.5+01:00" by the C library, in milliseconds; its form was checked before.
std::int64_t milliseconds(std::string text) {
  text[10] = 'T';
  std::tm fields{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:", &fields);
  expect(rest != nullptr, "a time has the form of one");
  const int second = std::stoi(std::string(rest, 2));
  rest += 2;
  int thousandths = 0;
  if (*rest == '.') {
    std::string fraction;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest) fraction += *rest;
    thousandths = std::stoi((fraction + "000").substr(0, 3));
  }
  std::int64_t east = 0;
  if (*rest == '+' || *rest == '-') {
    east = std::stoi(std::string(rest + 1, 2)) * 60 + std::stoi(std::string(rest + 4, 2));
    if (*rest == '-') east = -east;
  }
  return (static_cast<std::int64_t>(::timegm(&fields)) + second - east * 60) * 1000 + thousandths;
}

void check_time(std::string_view text) {
  const auto time = base::parse_rfc3339(text);
  if (!time) return expect(!time.error().message.empty(), "a refused time has a reason");
  expect(time->time_since_epoch().count() == milliseconds(std::string(text)),
         "a time is the C library's");
  const std::string printed = base::to_rfc3339(*time);
  expect(printed.size() == 24 && printed.back() == 'Z', "a printed time has its form");
  const auto again = base::parse_rfc3339(printed);
  expect(again && *again == *time, "a printed time is read again");
}

void check_ulid(std::string_view text) {
  const auto ulid = base::parse_ulid(text);
  if (!ulid) return expect(!ulid.error().message.empty(), "a refused ULID has a reason");
  const std::string printed = base::to_string(*ulid);
  expect(printed.size() == text.size(), "a ULID keeps its length");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'a' && text[i] <= 'z' ? static_cast<char>(text[i] - 32) : text[i];
    expect(printed[i] == c, "a ULID is printed as it was read");
  }
}

// A whole number and a unit, in arithmetic that cannot overflow.
template <std::size_t N>
std::optional<std::int64_t> product(std::string_view text,
                                    const std::array<std::pair<const char*, Integer>, N>& units) {
  const bool minus = text.starts_with('-');
  if (minus) text.remove_prefix(1);
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) return std::nullopt;
  Integer number = 0;
  for (const char c : text.substr(0, digits)) {
    number = std::min<Integer>(number * 10 + (c - '0'), Integer(1) << 70U);
  }
  if (minus && number != 0) return std::nullopt;
  std::string unit(text.substr(digits));
  if (unit.starts_with(' ')) unit.erase(0, 1);
  for (char& c : unit) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    const Integer value = number * factor;
    if (value > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    return static_cast<std::int64_t>(value);
  }
  return std::nullopt;
}

constexpr std::array<std::pair<const char*, Integer>, 9> kSizes{{{"", 1},
                                                                 {"b", 1},
                                                                 {"kb", 1000},
                                                                 {"mb", 1000000},
                                                                 {"gb", 1000000000},
                                                                 {"kib", 1 << 10},
                                                                 {"mib", 1 << 20},
                                                                 {"gib", 1 << 30},
                                                                 {"tib", Integer(1) << 40U}}};
constexpr std::array<std::pair<const char*, Integer>, 6> kDurations{
    {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}}};

template <std::size_t N>
void check_number(const base::Result<std::int64_t>& read, std::string_view text,
                  const std::array<std::pair<const char*, Integer>, N>& units) {
  const auto expected = product(text, units);
  expect(read.has_value() == expected.has_value(), "a number with a unit is taken, no other");
  if (read) {
    expect(*read == *expected, "a number with a unit is their product");
  } else {
    expect(!read.error().message.empty(), "a refused number has a reason");
  }
}

void check_address(std::string_view text) {
  const auto address = app::parse_address(text);
  if (!address) return expect(!address.error().message.empty(), "a refused address has a reason");
  expect(!address->host.empty(), "an address has a host");
  const auto again = app::parse_address(address->str());
  expect(again && again->host == address->host && again->port == address->port,
         "a printed address is read again");
}

}  // namespace

void fuzz(std::string_view text) {
  check_time(text);
  check_ulid(text);
  check_number(app::parse_size(text), text, kSizes);
  check_number(app::parse_duration(text), text, kDurations);
  check_address(text);
}

}  // namespace mahavishnu::fuzzing
