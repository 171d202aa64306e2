#include "base/redactor.h"

#include <doctest/doctest.h>

namespace mahavishnu::base {
namespace {

std::string redacted(const std::string& text) {
  static const auto redactor = Redactor::make();
  REQUIRE(redactor);
  return (*redactor)->redact(text);
}

// The secrets are put together here, so that this file holds none.
const std::string kAlnum = "abcdefghijklmnopqrstuvwxyz0123456789";
const std::string kKeyLines =
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\nAb0="
    "\n";

struct Case {
  std::string before, secret, after;
};

}  // namespace

TEST_SUITE("Redactor") {
  TEST_CASE("what looks like a secret goes, what stands around it stays") {
    const Case cases[] = {
        {"curl -H 'Authorization: Bearer ", "s3cr3t.tok-en", "' https://x"},
        {R"({"Authorization": "Basic )", "dXNlcjpwYXNz", "\"}"},
        {"got bearer ", kAlnum, " back"},
        {"Cookie: ", "sid=1; theme=dark", "\r\nHost: x"},
        {"id ", "AKIA" + std::string(16, 'A'), " used"},
        {"export AWS_SECRET_ACCESS_KEY=", "wJalr/XUtnFEMI+K7MDENG", "\nls"},
        {"push with ", "ghp_" + kAlnum, " ok"},
        {"push with ", "github_pat_" + kAlnum, " ok"},
        {"clone ", "glpat-" + kAlnum.substr(0, 20), " ok"},
        {"slack ", "xoxb-123456789012-abcdefghij", "."},
        {"post https://hooks.slack.com/", "services/T0/B0/xyz", " ok"},
        {"key ", "sk-ant-" + kAlnum, " ok"},
        {"jwt ", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", " ok"},
        {"git clone https://ada:", "hunter2", "@example.org/x.git"},
        {"mysql password=", "hunter2", " -h db"},
        {"DB_PASSWORD='", "hunter2 with spaces", "'"},
        {R"(config {"api_key": ")", "abc123", "\"}"},
        {"yaml\n  token: ", "abc123", "\n  name: x"},
        {"login --password ", "hunter2", " --user ada"},
        {"curl -u ada:", "hunter2", " https://x"},
        {"before\n",
         "-----BEGIN RSA PRIVATE KEY-----\n" + kKeyLines + "-----END RSA PRIVATE KEY-----",
         "\nafter"},
        {"cut: ", "-----BEGIN PRIVATE KEY-----\n" + kKeyLines, ""},
        {"failed (exit_code 1)\n", kKeyLines + "-----END OPENSSH PRIVATE KEY-----", "\nafter"},
    };
    for (const auto& [before, secret, after] : cases) {
      CAPTURE(before + secret + after);
      const std::string text = redacted(before + secret + after);
      CAPTURE(text);
      CHECK(text.find(secret) == std::string::npos);
      CHECK(text.find("[redacted]") != std::string::npos);
      const std::string word = secret.substr(0, secret.find_first_of(" ;\n/"));
      CHECK(text.find(word) == std::string::npos);
      CHECK(text.starts_with(before.substr(0, before.find_first_of("'\""))));
    }
  }

  TEST_CASE("what is no secret stays as it is") {
    for (const std::string text :
         {"12 tests passed, 0 failed", "PWD=/srv/app HOME=/root", "https://example.org:8080/a?b=c",
          "tokens: 512, secrets found: none", "git commit -m 'remove the password prompt'",
          "commit 3f786850e387550fdab836ed7e6dc881de23001b", "mail ada@example.org", "author: Ada",
          "the token was refused", "-----BEGIN CERTIFICATE-----\nMIIB\n", ""}) {
      CHECK(redacted(text) == text);
    }
  }

  TEST_CASE("patterns of one's own take the whole match") {
    const auto redactor = Redactor::make({"ACME-[0-9]{4}", "(?i)code ?name \\w+"});
    REQUIRE(redactor);
    CHECK((*redactor)->redact("ACME-1234 is Codename Falcon, ghp_" + kAlnum) ==
          "[redacted] is [redacted], [redacted]");
    CHECK((*redactor)->fingerprint() != (*Redactor::make())->fingerprint());
    CHECK((*Redactor::make())->fingerprint() == (*Redactor::make())->fingerprint());
  }

  TEST_CASE("a pattern that is none is named, with what is wrong") {
    for (const char* bad : {"a(b", "[z-a]", "(?=x)", "x*"}) {
      const auto redactor = Redactor::make({"fine", bad});
      REQUIRE_FALSE(redactor);
      CHECK(redactor.error().code == ErrorCode::InvalidArgument);
      CHECK(redactor.error().message.find(std::string("\"") + bad + "\"") != std::string::npos);
    }
  }

  TEST_CASE("texts that are hard on other engines, and long ones") {
    const auto redactor = Redactor::make({"(a+)+$", "(x|xx)+y"});
    REQUIRE(redactor);
    CHECK((*redactor)->redact(std::string(200, 'x')) == std::string(200, 'x'));
    const std::string many(100000, 'k');
    CHECK(redacted(many) == many);
    std::string keys;
    for (int i = 0; i < 1000; ++i) keys += "password=" + std::to_string(i) + "\n";
    CHECK(redacted(keys).find("password=7") == std::string::npos);
    CHECK(redacted("caf\xC3\xA9 password=\xC3\xA9\xF0\x9F\x8E\xBB ok") ==
          "caf\xC3\xA9 password=[redacted] ok");
  }
}

}  // namespace mahavishnu::base
