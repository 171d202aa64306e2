#include "journal/audit_journal.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/log.h"
#include "journal/audit_writer.h"

namespace mahavishnu::journal {
namespace {

constexpr base::Millis kRest{5};
constexpr std::uint64_t kLossesTold = 1000;

}  // namespace

AuditJournal::AuditJournal(asio::any_io_executor control, std::shared_ptr<Delivery> delivery,
                           ReaderPool& readers, std::filesystem::path file,
                           std::function<void()> hurry)
    : delivery_(std::move(delivery)),
      readers_(readers),
      file_(std::move(file)),
      hurry_(std::move(hurry)),
      rest_(std::move(control)) {}

void AuditJournal::append(domain::AuditChange change, std::function<void(base::Status)> done) {
  if (!done) {
    gather(std::move(change));
    return hurry_in_time();
  }
  make_ready();
  ready_.push_back(commit_of(std::move(change), std::move(done)));
  hurry_();
}

// A row that is still here takes its end with it.
void AuditJournal::gather(domain::AuditChange change) {
  auto& rows = gathered_.rows;
  for (auto& end : change.ends) {
    const auto row = std::lower_bound(
        rows.begin(), rows.end(), end.seq,
        [](const domain::AuditRow& each, std::uint64_t seq) { return each.seq < seq; });
    if (row != rows.end() && row->seq == end.seq) {
      row->outcome = std::move(end.outcome);
      row->made = std::move(end.made);
    } else {
      gathered_.ends.push_back(std::move(end));
    }
  }
  std::move(change.rows.begin(), change.rows.end(), std::back_inserter(rows));
  if (change.limits) gathered_.limits = change.limits;
}

void AuditJournal::hurry_in_time() {
  if (std::exchange(resting_, true)) return;
  rest_.expires_after(kRest);
  rest_.async_wait([this, delivery = delivery_](asio::error_code cancelled) {
    if (cancelled) return;
    delivery->post([this] {
      resting_ = false;
      hurry_();
    });
  });
}

std::vector<Commit> AuditJournal::take() {
  make_ready();
  return std::exchange(ready_, {});
}

// Two commits, where there is both: a full disk refuses rows of new calls, but may take ends of old
// ones.
void AuditJournal::make_ready() {
  domain::AuditChange rows;
  rows.rows = std::exchange(gathered_.rows, {});
  domain::AuditChange ends = std::exchange(gathered_, {});
  if (!ends.ends.empty() || ends.limits) ready_.push_back(commit_of(std::move(ends), {}));
  if (!rows.rows.empty()) ready_.push_back(commit_of(std::move(rows), {}));
}

Commit AuditJournal::commit_of(domain::AuditChange change, std::function<void(base::Status)> done) {
  auto audit = std::make_shared<AuditCommit>();
  const std::size_t entries = change.rows.size() + change.ends.size();
  audit->awaited = done != nullptr;
  audit->what = std::move(change);
  audit->done = [this, entries, delivery = delivery_, done = std::move(done)](Status status) {
    if (status && !done) return;
    delivery->post([this, entries, done, status = std::move(status)] {
      if (!status) take_loss(entries, status.error());
      if (done) done(status);
    });
  };
  Commit commit;
  commit.records = std::make_shared<const std::vector<domain::Record>>();
  commit.audit = std::move(audit);
  return commit;
}

void AuditJournal::find(
    domain::AuditFilter filter, domain::Page page,
    std::function<void(base::Result<domain::Listing<domain::AuditRow>>)> answer) {
  readers_.submit([delivery = delivery_, filter = std::move(filter), page = std::move(page),
                   answer = std::move(answer)](Result<Database*> database) mutable {
    auto found = database ? find_audit(**database, filter, page)
                          : Result<domain::Listing<domain::AuditRow>>(fail(database.error()));
    delivery->post([answer = std::move(answer), found = std::move(found)]() mutable {
      answer(std::move(found));
    });
  });
}

base::Result<std::uint64_t> AuditJournal::newest() {
  auto database = Database::open(file_, Database::Mode::ReadOnly);
  if (!database) return fail(std::move(database.error()));
  return newest_audit(*database);
}

// Told once for many: a full disk refuses them all.
void AuditJournal::take_loss(std::size_t entries, const base::Error& why) {
  const auto before = lost_;
  lost_ += entries;
  if (before == 0 || before / kLossesTold != lost_ / kLossesTold) {
    base::log()->error("the audit could not be written ({} entries so far): {}", lost_,
                       why.message);
  }
}

}  // namespace mahavishnu::journal
