;; A handler whose behaviour the message's first byte of value chooses; see `Guest` in guest.rs.
(module
  (import "forebay:handler/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "forebay:handler/metrics@0.1.0" "count" (func $count (param i32 i32 i64)))
  (import "forebay:handler/metrics@0.1.0" "observe" (func $observe (param i32 i32 f64)))

  (memory (export "memory") 2)
  (global $bump (mut i32) (i32.const 4096))
  ;; Messages that this instance has seen.
  (global $seen (mut i32) (i32.const 0))

  ;; 16: where results are built. 1024 and up: texts.
  (data (i32.const 1024) "boom at lib.rs:1")
  (data (i32.const 1056) "orders")
  (data (i32.const 1088) "\ff\fe")
  (data (i32.const 1104) "bad-config")
  (data (i32.const 1120) "no currency")
  (data (i32.const 1136) "0")

  (func $realloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $bump) (i32.const 7)) (i32.const -8)))
    (global.set $bump (i32.add (local.get $at) (local.get $size)))
    (call $reserve (global.get $bump))
    (local.get $at))

  (func $reserve (param $end i32)
    (block $enough
      (br_if $enough (i32.le_u (local.get $end) (i32.shl (memory.size) (i32.const 16))))
      (br_if $enough (i32.ne (i32.const -1)
        (memory.grow (i32.sub (i32.add (i32.shr_u (local.get $end) (i32.const 16)) (i32.const 1)) (memory.size)))))
      (unreachable)))

  (func $recurse (param i32) (result i32)
    (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

  ;; A case with one string or list: `ok`, `skip`.
  (func $case (param $case i32) (param $at i32) (param $len i32) (result i32)
    (i32.store (i32.const 16) (local.get $case))
    (i32.store (i32.const 20) (local.get $at))
    (i32.store (i32.const 24) (local.get $len))
    (i32.const 16))

  (func (export "forebay:handler/handler@0.1.0#init") (param $at i32) (param $len i32) (result i32)
    (local $first i32)
    (local.set $first (i32.load8_u (local.get $at)))
    (global.set $bump (i32.const 4096))
    (if (i32.eq (local.get $first) (i32.const 63)) (then (unreachable))) ;; ?
    (i32.store (i32.const 16) (i32.eq (local.get $first) (i32.const 33))) ;; !
    (i32.store (i32.const 20) (i32.const 1104))
    (i32.store (i32.const 24) (i32.const 10))
    (i32.store (i32.const 28) (i32.const 1120))
    (i32.store (i32.const 32) (i32.const 11))
    (i32.const 16))

  (func $handle (export "forebay:handler/handler@0.1.0#handle")
    (param $topic i32) (param $topic-len i32) (param $partition i32) (param $offset i64)
    (param $has-time i32) (param $time i64)
    (param $has-key i32) (param $key i32) (param $key-len i32)
    (param $has-value i32) (param $value i32) (param $value-len i32)
    (param $headers i32) (param $headers-len i32) (param $metadata i32) (param $metadata-len i32)
    (result i32)
    (local $what i32)
    (local.set $what (i32.load8_u (local.get $value)))
    (global.set $bump (i32.const 4096))
    (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
    ;; s: skip with the number of messages seen, one digit
    (if (i32.eq (local.get $what) (i32.const 115)) (then
      (i32.store8 (i32.const 1136) (i32.add (i32.const 48) (global.get $seen)))
      (return (call $case (i32.const 1) (i32.const 1136) (i32.const 1)))))
    ;; v: skip with the value itself
    (if (i32.eq (local.get $what) (i32.const 118)) (then
      (return (call $case (i32.const 1) (local.get $value) (local.get $value-len)))))
    ;; t: trap
    (if (i32.eq (local.get $what) (i32.const 116)) (then (unreachable)))
    ;; d: divide by zero
    (if (i32.eq (local.get $what) (i32.const 100)) (then
      (return (i32.div_u (i32.const 1) (i32.sub (local.get $what) (i32.const 100))))))
    ;; l: loop for ever
    (if (i32.eq (local.get $what) (i32.const 108)) (then (loop $again (br $again))))
    ;; m: take memory until there is none, and die of it
    (if (i32.eq (local.get $what) (i32.const 109)) (then
      (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (unreachable)))
    ;; M: the same, and live with it
    (if (i32.eq (local.get $what) (i32.const 77)) (then
      (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))))
    ;; r: recurse for ever
    (if (i32.eq (local.get $what) (i32.const 114)) (then (drop (call $recurse (i32.const 0)))))
    ;; u: text that is not UTF-8
    (if (i32.eq (local.get $what) (i32.const 117)) (then
      (return (call $case (i32.const 1) (i32.const 1088) (i32.const 2)))))
    ;; b: text that lies outside of the memory
    (if (i32.eq (local.get $what) (i32.const 98)) (then
      (return (call $case (i32.const 1) (i32.const 1088) (i32.const 0x7fffffff)))))
    ;; g: 17 MiB of text
    (if (i32.eq (local.get $what) (i32.const 103)) (then
      (call $reserve (i32.const 0x1200000))
      (return (call $case (i32.const 1) (i32.const 0x100000) (i32.const 0x1100000)))))
    ;; e: 10,001 effects, f: 10,000 (of zeroes: upserts into a target without a name)
    (if (i32.eq (local.get $what) (i32.const 101)) (then
      (call $reserve (i32.const 0x400000))
      (return (call $case (i32.const 0) (i32.const 0x200000) (i32.const 10001)))))
    (if (i32.eq (local.get $what) (i32.const 102)) (then
      (call $reserve (i32.const 0x400000))
      (return (call $case (i32.const 0) (i32.const 0x200000) (i32.const 10000)))))
    ;; p: write a line of level error, then trap
    (if (i32.eq (local.get $what) (i32.const 112)) (then
      (call $log (i32.const 4) (i32.const 1024) (i32.const 16) (i32.const 0) (i32.const 0))
      (unreachable)))
    ;; w: write a line that is not UTF-8
    (if (i32.eq (local.get $what) (i32.const 119)) (then
      (call $log (i32.const 4) (i32.const 1088) (i32.const 2) (i32.const 0) (i32.const 0))))
    ;; i: trap unless this is the instance's first message
    (if (i32.eq (local.get $what) (i32.const 105)) (then
      (if (i32.gt_u (global.get $seen) (i32.const 1)) (then (unreachable)))))
    ;; c: count and observe
    (if (i32.eq (local.get $what) (i32.const 99)) (then
      (call $count (i32.const 1056) (i32.const 6) (i64.const 3))
      (call $observe (i32.const 1056) (i32.const 6) (f64.const 2.5))))
    ;; h: skip with the first header's name
    (if (i32.eq (local.get $what) (i32.const 104)) (then
      (return (call $case (i32.const 1)
        (i32.load (local.get $headers)) (i32.load (i32.add (local.get $headers) (i32.const 4)))))))
    ;; n: reject
    (if (i32.eq (local.get $what) (i32.const 110)) (then
      (i32.store (i32.const 28) (i32.const 1120))
      (i32.store (i32.const 32) (i32.const 11))
      (return (call $case (i32.const 2) (i32.const 1104) (i32.const 10)))))
    ;; anything else: ok, nothing to do
    (call $case (i32.const 0) (i32.const 0) (i32.const 0)))
)
