// One HTTP request as a value: its head as it came, with the places of its parts, and its body.
//
// Parts are places and not views, so that a request can be moved. No allocation but the head, the
// list of places and the body.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mahavishnu::net {

struct HttpRequest {
  struct Place {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };
  struct Field {
    Place name;
    Place value;
  };

  std::string head;
  std::vector<Field> fields;
  Place target;
  Place authority;  // of an absolute target ("http://host/path"); empty otherwise
  Place path;
  Place query;
  std::string_view method;  // static text
  std::string body;
  std::uint64_t content_length = 0;
  bool http_1_1 = true;
  bool keep_alive = true;
  bool chunked = false;

  bool has_body() const { return chunked || content_length > 0; }
  std::string_view text(Place place) const {
    return std::string_view(head).substr(place.at, place.size);
  }
  // The first value of that name, any case; data() == nullptr when absent.
  std::string_view header(std::string_view name) const;
  std::size_t count(std::string_view name) const;
};

// ASCII only, as names of headers, hosts and media types are.
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace mahavishnu::net
