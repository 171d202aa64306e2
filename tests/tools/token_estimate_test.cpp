#include <doctest/doctest.h>

#include <string>

#include "tools/token_estimate.h"

using mahavishnu::tools::estimated_tokens;
using mahavishnu::tools::fewer_bytes;
using mahavishnu::tools::kAnswerTokens;

namespace {

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

// The counts of a real tokenizer (o200k) stand beside ours; tests/clients/tokens.mjs asks one.
TEST_SUITE("estimated_tokens") {
  TEST_CASE("nothing is nothing") { CHECK(estimated_tokens("") == 0); }

  TEST_CASE("a word with its space is one, a long one some") {
    CHECK(estimated_tokens("tasks run") == 2);             // 2
    CHECK(estimated_tokens("internationalization") == 5);  // 2
  }

  TEST_CASE("numbers go by three digits, and their space counts") {
    CHECK(estimated_tokens("123456") == 2);  // 2
    CHECK(estimated_tokens("at 42") == 3);   // 3
  }

  TEST_CASE("ids cost more than a third of their characters") {
    const auto tokens = estimated_tokens("task_01M826ASHC1CE4WDJV9KDBZPW0");
    CHECK(tokens >= 17);
    CHECK(tokens <= 20);
  }

  TEST_CASE("characters of other scripts are not free") {
    CHECK(estimated_tokens(repeated("\xf0\x9f\x9a\x80", 100)) == 200);
    CHECK(estimated_tokens(repeated("\xe6\xb5\x8b", 100)) == 150);
  }

  TEST_CASE("a control character as JSON writes it takes several") {
    CHECK(estimated_tokens("\\u0001") >= 4);
  }
}

TEST_SUITE("fewer_bytes") {
  TEST_CASE("what fits stays as it is") {
    CHECK_FALSE(fewer_bytes(30000, kAnswerTokens));
    CHECK_FALSE(fewer_bytes(1024, 5 * kAnswerTokens));
  }

  TEST_CASE("what is too long shrinks by as much, and ends") {
    CHECK(fewer_bytes(32000, 2 * kAnswerTokens) == 15000);
    CHECK(fewer_bytes(1025, 9 * kAnswerTokens) == 1024);
  }
}
