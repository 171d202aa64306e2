#include "workers/report.h"

#include <sys/mman.h>
#include <unistd.h>

#include "domain/records.h"
#include "workers/text.h"
#include "workers/wire.h"

namespace mahavishnu::workers {
namespace {

constexpr std::size_t kMostMessage = 2048;

}  // namespace

Descriptor make_report() { return Descriptor(::memfd_create("report", MFD_CLOEXEC)); }

std::optional<Report> read_report(int file) {
  // Its writer bounds what it writes; another program that got hold of it is not believed.
  std::string bytes(2 * domain::kMostStructured, '\0');
  const ssize_t got = ::pread(file, bytes.data(), bytes.size(), 0);
  if (got <= 0) return std::nullopt;
  Reader in(std::string_view(bytes).substr(0, static_cast<std::size_t>(got)));
  Report report;
  report.message = valid_text(in.text());
  report.structured = valid_text(in.text());
  const bool fits = report.message.size() <= 2 * kMostMessage &&
                    report.structured.size() <= domain::kMostStructured;
  if (!in.good() || !fits) return std::nullopt;
  return report;
}

bool write_report(const Report& report, int file) {
  std::string message = report.message;
  if (message.size() > kMostMessage) {
    message.resize(kMostMessage);
    message = valid_text(message) + "…";
  }
  const std::string bytes = Writer().text(message).text(report.structured).take();
  return ::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

}  // namespace mahavishnu::workers
