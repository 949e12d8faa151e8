package forebay

import (
	"time"
	"unsafe"
)

// kept is the answer to the last call, with all that it points at: the host reads it after the call has returned.
var kept []any

func lowerStarted(failure *Failure) unsafe.Pointer {
	kept = nil
	answer := newBuffer(outcomeSize)
	if failure != nil {
		answer.byte(0, 1)
		failureTo(answer, failure)
	}
	return keep(answer)
}

func lowerFailure(failure *Failure) unsafe.Pointer {
	kept = nil
	answer := newBuffer(outcomeSize)
	answer.byte(0, outcomeReject)
	failureTo(answer, failure)
	return keep(answer)
}

func failureTo(answer buffer, failure *Failure) {
	code, message := valid(failure.Code), valid(failure.Message)
	kept = append(kept, code, message)
	answer.text(outcomePayload, code)
	answer.text(outcomePayload+failureMessage, message)
}

func lower(outcome Outcome) unsafe.Pointer {
	kept = []any{outcome}
	answer := newBuffer(outcomeSize)
	if outcome.Skipped != "" && len(outcome.Effects) == 0 {
		reason := valid(outcome.Skipped)
		kept = append(kept, reason)
		answer.byte(0, outcomeSkip)
		answer.text(outcomePayload, reason)
		return keep(answer)
	}
	effects := newBuffer(len(outcome.Effects) * effectSize)
	for i := range outcome.Effects {
		if failure := effectTo(effects, i*effectSize, &outcome.Effects[i]); failure != nil {
			return lowerFailure(failure)
		}
	}
	answer.byte(0, outcomeOk)
	answer.list(outcomePayload, keep(effects), len(outcome.Effects))
	return keep(answer)
}

func keep(memory buffer) unsafe.Pointer {
	kept = append(kept, memory)
	return memory.pointer()
}

func effectTo(memory buffer, at int, effect *Effect) *Failure {
	memory.byte(at, uint8(effect.Kind))
	at += effectPayload
	if effect.Kind == Publish {
		return noticeTo(memory, at, &effect.Message)
	}
	row := &effect.Row
	if failure := notText("the target", row.Target, row.Target); failure != nil {
		return failure
	}
	memory.text(at, row.Target)
	columns := newBuffer(len(row.Columns) * columnSize)
	memory.list(at+rowColumns, keep(columns), len(row.Columns))
	for i := range row.Columns {
		if failure := columnTo(columns, i*columnSize, &row.Columns[i]); failure != nil {
			return failure
		}
	}
	return nil
}

func columnTo(memory buffer, at int, column *Column) *Failure {
	if failure := notText("the column", column.Name, column.Name); failure != nil {
		return failure
	}
	memory.text(at, column.Name)
	at += columnValue
	payload := at + valuePayload
	switch value := plain(column.Name, column.Value).(type) {
	case nil:
		memory.byte(at, valueNull)
	case bool:
		memory.byte(at, valueBoolean)
		if value {
			memory.byte(payload, 1)
		}
	case int64:
		memory.byte(at, valueInteger)
		memory.long(payload, value)
	case float64:
		memory.byte(at, valueFloat)
		memory.float(payload, value)
	case string:
		if failure := notText("the text of column", column.Name, value); failure != nil {
			return failure
		}
		memory.byte(at, valueText)
		memory.text(payload, value)
		kept = append(kept, value)
	case []byte:
		memory.byte(at, valueBytes)
		memory.bytes(payload, value)
	case time.Time:
		memory.byte(at, valueTimestamp)
		memory.long(payload, value.UnixMicro())
	}
	return nil
}

func noticeTo(memory buffer, at int, notice *Notice) *Failure {
	if failure := notText("the target", notice.Target, notice.Target); failure != nil {
		return failure
	}
	memory.text(at, notice.Target)
	memory.optional(at+publishKey, notice.Key)
	memory.optional(at+publishValue, notice.Value)
	headers := newBuffer(len(notice.Headers) * headerSize)
	memory.list(at+publishHeaders, keep(headers), len(notice.Headers))
	for i, header := range notice.Headers {
		if failure := notText("the header", header.Name, header.Name); failure != nil {
			return failure
		}
		headers.text(i*headerSize, header.Name)
		headers.optional(i*headerSize+headerValue, header.Value)
	}
	memory.list(at+publishFacts, nil, 0)
	return nil
}
