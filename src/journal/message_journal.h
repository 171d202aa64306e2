// The bus's MessageStore on the journal's writer: its changes share the transactions of all others.
//
// Answers on the control thread. Made by SqliteJournal, whose parts it uses and which stops them.
#pragma once

#include <memory>

#include "domain/bus_types.h"
#include "journal/commit_thread.h"
#include "journal/delivery.h"

namespace mahavishnu::journal {

class MessageJournal final : public domain::MessageStore {
 public:
  MessageJournal(std::shared_ptr<Delivery> delivery, CommitThread& writer)
      : delivery_(std::move(delivery)), writer_(writer) {}

  void append(domain::BusChange change, std::function<void(base::Status)> done) override;

 private:
  std::shared_ptr<Delivery> delivery_;
  CommitThread& writer_;
};

}  // namespace mahavishnu::journal
