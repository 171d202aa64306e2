#include "journal/audit_journal.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "journal/audit_writer.h"

namespace mahavishnu::journal {
namespace {

constexpr base::Millis kRest{5};

}  // namespace

AuditJournal::AuditJournal(asio::any_io_executor control, std::shared_ptr<Delivery> delivery,
                           ReaderPool& readers, std::filesystem::path file,
                           std::function<void(Commit)> hand_in, std::function<void()> hurry)
    : delivery_(std::move(delivery)),
      readers_(readers),
      file_(std::move(file)),
      hand_in_(std::move(hand_in)),
      hurry_(std::move(hurry)),
      rest_(std::move(control)) {}

void AuditJournal::append(domain::AuditChange change, std::function<void(base::Status)> done) {
  auto audit = std::make_shared<AuditCommit>();
  audit->what = std::move(change);
  audit->awaited = done != nullptr;
  audit->done = [this, delivery = delivery_, done = std::move(done)](Status status) {
    if (status && !done) return;
    delivery->post([this, done, status = std::move(status)] {
      if (!status) take_loss(status.error());
      if (done) done(status);
    });
  };
  const bool awaited = audit->awaited;
  Commit commit;
  commit.records = std::make_shared<const std::vector<domain::Record>>();
  commit.audit = std::move(audit);
  hand_in_(std::move(commit));
  if (awaited) return hurry_();
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

// Once for many: a full disk refuses them all.
void AuditJournal::take_loss(const base::Error& why) {
  if (lost_++ % 1000 == 0) {
    base::log()->error("the audit could not be written ({} times so far): {}", lost_, why.message);
  }
}

}  // namespace mahavishnu::journal
