#include "journal/message_journal.h"

#include <utility>

namespace mahavishnu::journal {

void MessageJournal::append(domain::BusChange change, std::function<void(base::Status)> done) {
  auto message = std::make_shared<MessageChange>();
  message->what = std::move(change);
  message->done = [delivery = delivery_, done = std::move(done)](Status status) {
    delivery->post([done, status = std::move(status)] { done(status); });
  };
  Commit commit;
  commit.records = std::make_shared<const std::vector<domain::Record>>();
  commit.message = message;
  std::vector<Commit> commits;
  commits.push_back(std::move(commit));
  if (writer_.append(std::move(commits)).empty()) return;
  message->done(fail(ErrorCode::Exhausted, "too many commits are waiting for the disk; try again",
                     kQueueRetryMs));
}

}  // namespace mahavishnu::journal
