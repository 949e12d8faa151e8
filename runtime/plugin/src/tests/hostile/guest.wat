;; A guest with holes for what it does; see `Parts` in mod.rs.
(module
  (import "forebay:handler/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "forebay:handler/metrics@0.1.0" "count" (func $count (param i32 i32 i64)))
  (import "forebay:handler/metrics@0.1.0" "observe" (func $observe (param i32 i32 f64)))

  (memory $memory (export "memory") 2)
  (global $bump (mut i32) (i32.const 65536))
  ;; Messages that this instance has seen.
  (global $seen (mut i32) (i32.const 0))

  ;; 16: where results are built. 1024 and up: texts. From 2048 to 65536 there are zeroes.
  (data (i32.const 1024) "orders")
  (data (i32.const 1040) "\ff\fe")

  (func $allocate (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $bump) (i32.const 7)) (i32.const -8)))
    (global.set $bump (i32.add (local.get $at) (local.get $size)))
    (call $reserve (global.get $bump))
    (local.get $at))

  ;; Makes the memory as large as `end`, or dies.
  (func $reserve (param $end i32)
    (block $enough
      (br_if $enough (i32.le_u (local.get $end) (i32.shl (memory.size) (i32.const 16))))
      (br_if $enough (i32.ne (i32.const -1)
        (memory.grow (i32.sub (i32.add (i32.shr_u (local.get $end) (i32.const 16)) (i32.const 1)) (memory.size)))))
      (unreachable)))

  ;; A case with one string or list.
  (func $case (param $case i32) (param $at i32) (param $len i32) (result i32)
    (i32.store (i32.const 16) (local.get $case))
    (i32.store (i32.const 20) (local.get $at))
    (i32.store (i32.const 24) (local.get $len))
    (i32.const 16))

  ;; FIELDS

  (func $realloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    ;; REALLOC
  )

  (func (export "forebay:handler/handler@0.1.0#init") (param $at i32) (param $len i32) (result i32)
    (local $n i32)
    ;; INIT
    (i32.const 2048))

  (func $handle (export "forebay:handler/handler@0.1.0#handle")
    (param $topic i32) (param $topic-len i32) (param $partition i32) (param $offset i64)
    (param $has-time i32) (param $time i64)
    (param $has-key i32) (param $key i32) (param $key-len i32)
    (param $has-value i32) (param $value i32) (param $value-len i32)
    (param $headers i32) (param $headers-len i32) (param $metadata i32) (param $metadata-len i32)
    (result i32)
    (local $n i32)
    (global.set $bump (i32.const 65536))
    (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
    ;; HANDLE
  )
)
