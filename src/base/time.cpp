#include "base/time.h"

#include <array>
#include <cstdio>

namespace mahavishnu::base {
namespace {

// Reads exactly `digits` decimal digits from the front of `text`; -1 when they are not there.
int take_number(std::string_view& text, int digits) {
  if (text.size() < static_cast<size_t>(digits)) return -1;
  int value = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = text[static_cast<size_t>(i)];
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(static_cast<size_t>(digits));
  return value;
}

bool take_char(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

tl::unexpected<Error> bad_time(std::string_view text) {
  return fail(ErrorCode::InvalidArgument,
              "\"" + std::string(text) + "\" is not an RFC 3339 time such as 2026-11-21T19:35:55Z");
}

// Z or +hh:mm or -hh:mm, as minutes east of UTC.
bool take_offset(std::string_view& text, int& minutes) {
  if (take_char(text, 'Z') || take_char(text, 'z')) {
    minutes = 0;
    return true;
  }
  const bool east = take_char(text, '+');
  if (!east && !take_char(text, '-')) return false;
  const int hours = take_number(text, 2);
  if (hours < 0 || hours > 23 || !take_char(text, ':')) return false;
  const int rest = take_number(text, 2);
  if (rest < 0 || rest > 59) return false;
  minutes = (hours * 60 + rest) * (east ? 1 : -1);
  return true;
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss<Millis> clock{time - day};
  std::array<char, 40> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()));
  return {text.data(), static_cast<size_t>(length)};
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  std::string_view rest = text;
  const int y = take_number(rest, 4);
  if (y < 0 || !take_char(rest, '-')) return bad_time(text);
  const int m = take_number(rest, 2);
  if (m < 0 || !take_char(rest, '-')) return bad_time(text);
  const int d = take_number(rest, 2);
  if (d < 0 || !(take_char(rest, 'T') || take_char(rest, 't') || take_char(rest, ' '))) {
    return bad_time(text);
  }
  const int hh = take_number(rest, 2);
  if (hh < 0 || hh > 23 || !take_char(rest, ':')) return bad_time(text);
  const int mm = take_number(rest, 2);
  if (mm < 0 || mm > 59 || !take_char(rest, ':')) return bad_time(text);
  const int ss = take_number(rest, 2);
  if (ss < 0 || ss > 60) return bad_time(text);
  int fraction_ms = 0;
  if (take_char(rest, '.')) {
    int scale = 100;
    bool any = false;
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      fraction_ms += (rest.front() - '0') * scale;
      scale /= 10;
      rest.remove_prefix(1);
      any = true;
    }
    if (!any) return bad_time(text);
  }
  int offset_minutes = 0;
  if (!take_offset(rest, offset_minutes) || !rest.empty()) return bad_time(text);
  const year_month_day date{year{y}, month{static_cast<unsigned>(m)},
                            day{static_cast<unsigned>(d)}};
  if (!date.ok()) return bad_time(text);
  const WallTime time{sys_days{date}.time_since_epoch() + hours{hh} + minutes{mm} + seconds{ss} +
                      Millis{fraction_ms} - minutes{offset_minutes}};
  // In UTC its year may have less or more than four digits: there is no way to write it.
  const year_month_day utc{floor<days>(time)};
  if (utc.year() < year{0} || utc.year() > year{9999}) return bad_time(text);
  return time;
}

WallTime wall_now() {
  return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
}

MonoTime mono_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::steady_clock::now());
}

}  // namespace mahavishnu::base
