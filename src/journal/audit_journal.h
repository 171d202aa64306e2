// The AuditTrail on the journal's writer: its changes share the transactions of all others.
//
// What nobody waits for rests here for some milliseconds, so that a call's row goes to the disk
// together with what the call does, and costs no sync of its own. Made by SqliteJournal, whose
// parts it uses and which stops them. Control thread only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/asio.h"
#include "domain/audit.h"
#include "journal/commit.h"
#include "journal/delivery.h"
#include "journal/reader_pool.h"

namespace mahavishnu::journal {

class AuditJournal final : public domain::AuditTrail {
 public:
  // `hand_in` takes a commit into the order of all others; `hurry` hands over what was handed in.
  AuditJournal(asio::any_io_executor control, std::shared_ptr<Delivery> delivery,
               ReaderPool& readers, std::filesystem::path file, std::function<void(Commit)> hand_in,
               std::function<void()> hurry);

  void append(domain::AuditChange change, std::function<void(base::Status)> done) override;
  void find(domain::AuditFilter filter, domain::Page page,
            std::function<void(base::Result<domain::Listing<domain::AuditRow>>)> answer) override;
  base::Result<std::uint64_t> newest() override;

  // Changes that did not get onto the disk.
  std::uint64_t lost() const { return lost_; }
  void stop() { rest_.cancel(); }

 private:
  void take_loss(const base::Error& why);

  std::shared_ptr<Delivery> delivery_;
  ReaderPool& readers_;
  std::filesystem::path file_;
  std::function<void(Commit)> hand_in_;
  std::function<void()> hurry_;
  asio::steady_timer rest_;
  bool resting_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace mahavishnu::journal
