#include "app/secrets.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/base64.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr std::size_t kLongestSecret = 16384;  // a signed one may be long
constexpr std::size_t kShortestToken = 32;

// What is to stand in `file`, beside it and on the disk; its name.
Result<std::string> write_draft(const std::string& file, const std::string& text) {
  std::string draft = file + "." + std::to_string(::getpid()) + ".tmp";
  ::unlink(draft.c_str());  // of a process that died and had this one's id: its mode may be another
  const int out = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (out < 0)
    return fail(ErrorCode::Unavailable, "cannot write " + draft + ": " + std::strerror(errno));
  const bool written =
      ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(out) == 0;
  const std::string reason = std::strerror(errno);
  ::close(out);
  if (written) return draft;
  ::unlink(draft.c_str());
  return fail(ErrorCode::Unavailable, "cannot write " + draft + ": " + reason);
}

// Written beside its place and linked there, so that nobody ever reads half a token and of two
// servers that start at once one wins. Conflict: it exists.
Status write_once(const std::string& file, const std::string& text) {
  const auto draft = write_draft(file, text + "\n");
  if (!draft) return fail(draft.error());
  const bool linked = ::link(draft->c_str(), file.c_str()) == 0;
  const int link_error = errno;
  ::unlink(draft->c_str());
  if (!linked && link_error == EEXIST) return fail(ErrorCode::Conflict, file + " exists");
  if (!linked)
    return fail(ErrorCode::Unavailable, "cannot make " + file + ": " + std::strerror(link_error));
  return {};
}

}  // namespace

Result<std::string> make_token() {
  std::array<unsigned char, 32> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return fail(ErrorCode::Unavailable, "the system gave no randomness for a token");
  }
  return base::encode_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<std::string> read_private(const std::string& file, const char* what, std::size_t most) {
  const std::string named = std::string("the ") + what + " " + file;
  // Not blocking: a pipe in its place must not hold up who reads.
  const int in = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (in < 0) {
    return fail(errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Denied,
                "cannot read " + named + ": " + std::strerror(errno));
  }
  struct stat facts {};
  std::string text(most + 1, '\0');
  const bool looked = ::fstat(in, &facts) == 0;
  std::size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < text.size()) {
    got = ::read(in, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
  }
  const std::string reason = std::strerror(errno);
  ::close(in);
  if (!looked || (facts.st_mode & 077U) != 0) {
    return fail(ErrorCode::Denied,
                "others may read " + named + "; close it with: chmod 600 " + file);
  }
  if (got < 0) return fail(ErrorCode::Denied, "cannot read " + named + ": " + reason);
  if (size > most) {
    return fail(ErrorCode::InvalidArgument,
                named + " is longer than " + std::to_string(most) + " bytes");
  }
  text.resize(size);
  return text;
}

Status replace_private(const std::string& file, const std::string& text) {
  const auto draft = write_draft(file, text);
  if (!draft) return fail(draft.error());
  if (::rename(draft->c_str(), file.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    ::unlink(draft->c_str());
    return fail(ErrorCode::Unavailable, "cannot replace " + file + ": " + reason);
  }
  const std::string folder = file.substr(0, file.rfind('/') + 1);
  const int place = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool kept = place >= 0 && ::fsync(place) == 0;
  const std::string reason = std::strerror(errno);
  if (place >= 0) ::close(place);
  if (kept) return {};
  return fail(ErrorCode::Unavailable, "cannot make sure of " + file + ": " + reason);
}

Result<std::string> read_secret(const std::string& file) {
  auto text_read = read_private(file, "token file", kLongestSecret);
  if (!text_read) return text_read;
  std::string& text = *text_read;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  if (text.empty() || text.find_first_of(" \t\r\n") != std::string::npos) {
    return fail(ErrorCode::InvalidArgument, "the token file " + file + " does not hold one token");
  }
  return text;
}

Result<std::string> read_token(const std::string& file) {
  auto text = read_secret(file);
  if (!text || text->size() >= kShortestToken) return text;
  return fail(ErrorCode::InvalidArgument,
              "the token file " + file + " does not hold one token of at least " +
                  std::to_string(kShortestToken) + " characters; remove it and a new one is made");
}

Result<Token> load_or_make_token(const std::string& file) {
  auto known = read_token(file);
  if (known) return Token{std::move(*known), false};
  if (known.error().code != ErrorCode::NotFound) return fail(known.error());
  auto made = make_token();
  if (!made) return fail(made.error());
  if (auto written = write_once(file, *made); !written) {
    if (written.error().code != ErrorCode::Conflict) return fail(written.error());
    auto other = read_token(file);
    if (!other) return fail(other.error());
    return Token{std::move(*other), false};
  }
  return Token{std::move(*made), true};
}

bool TokenCheck::matches(std::string_view candidate) const {
  return candidate.size() == token_.size() &&
         CRYPTO_memcmp(candidate.data(), token_.data(), token_.size()) == 0;
}

}  // namespace mahavishnu::app
