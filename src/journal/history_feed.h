// The history as it is sent elsewhere: rows of events.db behind a place, read over a connection of
// its own.
//
// A seq that is missing between the place and the newest row left with the sweep: the writer uses
// each once and leaves none out. Texts are redacted here, on their way out, so that rows which an
// older program wrote are as well. Made and ended by SqliteJournal; `events` outlives it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "base/redactor.h"
#include "domain/event_feed.h"
#include "journal/database.h"
#include "journal/event_log.h"

namespace mahavishnu::journal {

class HistoryFeed final : public domain::EventFeed {
 public:
  HistoryFeed(std::filesystem::path file, std::shared_ptr<const base::Redactor> redactor,
              EventLog& events)
      : file_(std::move(file)), redactor_(std::move(redactor)), events_(events) {}

  Result<domain::FeedPlace> place() override;
  Result<domain::FeedPage> next(std::int64_t after, int limit, std::size_t bytes) override;
  std::int64_t newest() const override { return events_.counts().newest; }
  void sent(std::int64_t up_to) override { events_.keep_sent(up_to); }
  void on_news(std::function<void()> told) override { events_.on_written(std::move(told)); }

 private:
  Status open();

  const std::filesystem::path file_;
  const std::shared_ptr<const base::Redactor> redactor_;
  EventLog& events_;
  std::optional<Database> database_;  // of the reader's thread
};

}  // namespace mahavishnu::journal
