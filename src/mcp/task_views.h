// Tasks as each revision shows them. Pure.
#pragma once

#include "mcp/eras.h"
#include "mcp/tasks.h"

namespace mahavishnu::mcp {

// What a client learns of a task when it is made: no questions, no end.
Json task_json(const TaskView& task, Revision revision);

// What tasks/get and notifications tell: in 2026-07-28 with its questions or its end.
Json detailed_json(const TaskView& task, Revision revision);

// Members of the tool's result; nothing for an error of the protocol.
Json end_members(const TaskEnd& end, Revision revision);

// `members` with the metadata that tells which task they are about (2025-11-25).
Json related_to(std::string_view task, Json members);

// A tool's content of several kinds, as its result's members.
Json content_members(const ToolContent& result, Revision revision);

}  // namespace mahavishnu::mcp
