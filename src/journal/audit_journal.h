// The AuditTrail on the journal's writer: its changes share the transactions of all others.
//
// What nobody waits for is gathered here for some milliseconds, so that a call's row goes to the
// disk together with what the call does, costs no sync of its own, and is written once when the
// call has ended by then. Whoever hands commits to the writer takes what is gathered first. Made by
// SqliteJournal, whose parts it uses and which stops them. Control thread only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/asio.h"
#include "domain/audit.h"
#include "journal/commit.h"
#include "journal/delivery.h"
#include "journal/reader_pool.h"

namespace mahavishnu::journal {

class AuditJournal final : public domain::AuditTrail {
 public:
  // `hurry` has whoever takes take soon.
  AuditJournal(asio::any_io_executor control, std::shared_ptr<Delivery> delivery,
               ReaderPool& readers, std::filesystem::path file, std::function<void()> hurry);

  void append(domain::AuditChange change, std::function<void(base::Status)> done) override;
  void find(domain::AuditFilter filter, domain::Page page,
            std::function<void(base::Result<domain::Listing<domain::AuditRow>>)> answer) override;
  base::Result<std::uint64_t> newest() override;

  // What is gathered, as commits: before all others that are handed over from now on. May be none.
  std::vector<Commit> take();

  // Rows, and ends of rows, that did not get onto the disk.
  std::uint64_t lost() const { return lost_; }
  void stop() { rest_.cancel(); }

 private:
  void gather(domain::AuditChange change);
  void hurry_in_time();
  void make_ready();
  Commit commit_of(domain::AuditChange change, std::function<void(base::Status)> done);
  void take_loss(std::size_t entries, const base::Error& why);

  std::shared_ptr<Delivery> delivery_;
  ReaderPool& readers_;
  std::filesystem::path file_;
  std::function<void()> hurry_;
  domain::AuditChange gathered_;
  std::vector<Commit> ready_;
  asio::steady_timer rest_;
  bool resting_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace mahavishnu::journal
