;; Casts between float32 and the 16-bit types, eight elements a step, over blocks in the module's own memory.
;; Every function takes two byte positions, multiples of 16, and a count of elements, which it rounds up to a
;; multiple of eight; what lies behind the last element has to be zero bytes, or is not read back by the caller.
;; The narrowing ones return how many finite numbers became infinite, times 65,536, plus how many nonzero ones
;; became zero; so a call may take at most 32,768 elements.
(module
  (memory (export "memory") 3)

  ;; Adds up the lanes of two counters, which count downwards.
  (func $pack (param $infinite v128) (param $zero v128) (result i32)
    (i32.sub
      (i32.const 0)
      (i32.add
        (i32.shl (call $sum (local.get $infinite)) (i32.const 16))
        (call $sum (local.get $zero)))))

  (func $sum (param $lanes v128) (result i32)
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $lanes)) (i32x4.extract_lane 1 (local.get $lanes)))
      (i32.add (i32x4.extract_lane 2 (local.get $lanes)) (i32x4.extract_lane 3 (local.get $lanes)))))

  (func (export "f32ToBf16") (param $from i32) (param $to i32) (param $count i32) (result i32)
    (local $end i32) (local $half i32)
    (local $bits v128) (local $size v128) (local $out v128) (local $low v128)
    (local $infinite v128) (local $zero v128)
    (local.set $end (i32.add (local.get $to) (i32.shl (local.get $count) (i32.const 1))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $to) (local.get $end)))
        ;; Eight numbers that are neither tiny nor huge, from 2^-133 to below 0x7f7f8000, lose nothing and are no NaN: a short
        ;; way. Moved so that 2^-133 is the least signed number, one comparison sees both ends.
        (local.set $low (v128.load (local.get $from)))
        (local.set $bits (v128.load offset=16 (local.get $from)))
        (if
          (i32.eqz
            (v128.any_true
              (v128.or
                (i32x4.ge_s
                  (i32x4.add
                    (v128.and (local.get $low) (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff))
                    (v128.const i32x4 0x7fff0000 0x7fff0000 0x7fff0000 0x7fff0000))
                  (v128.const i32x4 0xff7e8000 0xff7e8000 0xff7e8000 0xff7e8000))
                (i32x4.ge_s
                  (i32x4.add
                    (v128.and (local.get $bits) (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff))
                    (v128.const i32x4 0x7fff0000 0x7fff0000 0x7fff0000 0x7fff0000))
                  (v128.const i32x4 0xff7e8000 0xff7e8000 0xff7e8000 0xff7e8000)))))
          (then
            (v128.store
              (local.get $to)
              (i16x8.narrow_i32x4_u
                (i32x4.shr_u
                  (i32x4.add
                    (i32x4.add (local.get $low) (v128.const i32x4 0x7fff 0x7fff 0x7fff 0x7fff))
                    (v128.and (i32x4.shr_u (local.get $low) (i32.const 16)) (v128.const i32x4 1 1 1 1)))
                  (i32.const 16))
                (i32x4.shr_u
                  (i32x4.add
                    (i32x4.add (local.get $bits) (v128.const i32x4 0x7fff 0x7fff 0x7fff 0x7fff))
                    (v128.and (i32x4.shr_u (local.get $bits) (i32.const 16)) (v128.const i32x4 1 1 1 1)))
                  (i32.const 16))))
            (local.set $from (i32.add (local.get $from) (i32.const 32)))
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (br $next)))
        (local.set $half (i32.const 0))
        (loop $part
          (local.set $bits (v128.load (local.get $from)))
          (local.set $from (i32.add (local.get $from) (i32.const 16)))
          (local.set $size (v128.and (local.get $bits) (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff)))
          ;; To nearest, ties to even: add just under a half, and the last bit that stays.
          (local.set $out
            (i32x4.shr_u
              (i32x4.add
                (i32x4.add (local.get $bits) (v128.const i32x4 0x7fff 0x7fff 0x7fff 0x7fff))
                (v128.and
                  (i32x4.shr_u (local.get $bits) (i32.const 16))
                  (v128.const i32x4 1 1 1 1)))
              (i32.const 16)))
          ;; Every NaN becomes 0xffff.
          (local.set $out
            (v128.or
              (local.get $out)
              (i32x4.shr_u
                (i32x4.gt_s (local.get $size) (v128.const i32x4 0x7f800000 0x7f800000 0x7f800000 0x7f800000))
                (i32.const 16))))
          (local.set $infinite
            (i32x4.add
              (local.get $infinite)
              (v128.and
                (i32x4.lt_s (local.get $size) (v128.const i32x4 0x7f800000 0x7f800000 0x7f800000 0x7f800000))
                (i32x4.eq
                  (v128.and (local.get $out) (v128.const i32x4 0x7fff 0x7fff 0x7fff 0x7fff))
                  (v128.const i32x4 0x7f80 0x7f80 0x7f80 0x7f80)))))
          (local.set $zero
            (i32x4.add
              (local.get $zero)
              (v128.and
                (i32x4.gt_s (local.get $size) (v128.const i32x4 0 0 0 0))
                (i32x4.eq
                  (v128.and (local.get $out) (v128.const i32x4 0x7fff 0x7fff 0x7fff 0x7fff))
                  (v128.const i32x4 0 0 0 0)))))
          (if (i32.eqz (local.get $half))
            (then
              (local.set $low (local.get $out))
              (local.set $half (i32.const 1))
              (br $part))))
        (v128.store (local.get $to) (i16x8.narrow_i32x4_u (local.get $low) (local.get $out)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $next)))
    (call $pack (local.get $infinite) (local.get $zero)))

  (func (export "f32ToF16") (param $from i32) (param $to i32) (param $count i32) (result i32)
    (local $end i32) (local $half i32)
    (local $bits v128) (local $size v128) (local $out v128) (local $low v128)
    (local $infinite v128) (local $zero v128) (local $lowSize v128) (local $bitsSize v128)
    (local.set $end (i32.add (local.get $to) (i32.shl (local.get $count) (i32.const 1))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $to) (local.get $end)))
        ;; Most weights have a normal float16: at least 2^-14, and below 65520, 0x477ff000. Eight that have take a short way,
        ;; where nothing is lost, subnormal or NaN. Moved so that 2^-14 is the least signed number, one comparison sees both
        ;; ends. All is written out, since engines may not inline calls.
        (local.set $low (v128.load (local.get $from)))
        (local.set $bits (v128.load offset=16 (local.get $from)))
        (local.set $lowSize (v128.and (local.get $low) (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff)))
        (local.set $bitsSize (v128.and (local.get $bits) (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff)))
        (if
          (i32.eqz
            (v128.any_true
              (v128.or
                (i32x4.ge_s
                  (i32x4.add (local.get $lowSize) (v128.const i32x4 0x47800000 0x47800000 0x47800000 0x47800000))
                  (v128.const i32x4 0x8efff000 0x8efff000 0x8efff000 0x8efff000))
                (i32x4.ge_s
                  (i32x4.add (local.get $bitsSize) (v128.const i32x4 0x47800000 0x47800000 0x47800000 0x47800000))
                  (v128.const i32x4 0x8efff000 0x8efff000 0x8efff000 0x8efff000)))))
          (then
            ;; The bias of the exponent changes by 112; thirteen bits are rounded off.
            (v128.store
              (local.get $to)
              (i16x8.narrow_i32x4_u
                (v128.or
                  (i32x4.shr_u
                    (i32x4.add
                      (i32x4.add (local.get $lowSize) (v128.const i32x4 0xc8000fff 0xc8000fff 0xc8000fff 0xc8000fff))
                      (v128.and (i32x4.shr_u (local.get $low) (i32.const 13)) (v128.const i32x4 1 1 1 1)))
                    (i32.const 13))
                  (v128.and (i32x4.shr_u (local.get $low) (i32.const 16)) (v128.const i32x4 0x8000 0x8000 0x8000 0x8000)))
                (v128.or
                  (i32x4.shr_u
                    (i32x4.add
                      (i32x4.add (local.get $bitsSize) (v128.const i32x4 0xc8000fff 0xc8000fff 0xc8000fff 0xc8000fff))
                      (v128.and (i32x4.shr_u (local.get $bits) (i32.const 13)) (v128.const i32x4 1 1 1 1)))
                    (i32.const 13))
                  (v128.and (i32x4.shr_u (local.get $bits) (i32.const 16)) (v128.const i32x4 0x8000 0x8000 0x8000 0x8000)))))
            (local.set $from (i32.add (local.get $from) (i32.const 32)))
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (br $next)))
        (local.set $half (i32.const 0))
        (loop $part
          (local.set $bits (v128.load (local.get $from)))
          (local.set $from (i32.add (local.get $from) (i32.const 16)))
          (local.set $size (v128.and (local.get $bits) (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff)))
          ;; Normal results: the exponent's bias changes by 112, thirteen bits are rounded off; at most infinity.
          (local.set $out
            (i32x4.min_u
              (i32x4.shr_u
                (i32x4.sub
                  (i32x4.add
                    (i32x4.add (local.get $size) (v128.const i32x4 0xfff 0xfff 0xfff 0xfff))
                    (v128.and
                      (i32x4.shr_u (local.get $size) (i32.const 13))
                      (v128.const i32x4 1 1 1 1)))
                  (v128.const i32x4 0x38000000 0x38000000 0x38000000 0x38000000))
                (i32.const 13))
              (v128.const i32x4 0x7c00 0x7c00 0x7c00 0x7c00)))
          ;; Below 2^-14: added to a half, the last bit of the sum is worth 2^-24, as in a subnormal result.
          (local.set $out
            (v128.bitselect
              (i32x4.sub
                (f32x4.add (local.get $size) (v128.const i32x4 0x3f000000 0x3f000000 0x3f000000 0x3f000000))
                (v128.const i32x4 0x3f000000 0x3f000000 0x3f000000 0x3f000000))
              (local.get $out)
              (i32x4.lt_s (local.get $size) (v128.const i32x4 0x38800000 0x38800000 0x38800000 0x38800000))))
          (local.set $infinite
            (i32x4.add
              (local.get $infinite)
              (v128.and
                (i32x4.lt_s (local.get $size) (v128.const i32x4 0x7f800000 0x7f800000 0x7f800000 0x7f800000))
                (i32x4.eq (local.get $out) (v128.const i32x4 0x7c00 0x7c00 0x7c00 0x7c00)))))
          (local.set $zero
            (i32x4.add
              (local.get $zero)
              (v128.and
                (i32x4.gt_s (local.get $size) (v128.const i32x4 0 0 0 0))
                (i32x4.eq (local.get $out) (v128.const i32x4 0 0 0 0)))))
          ;; A NaN keeps the upper bits of its payload and is made quiet.
          (local.set $out
            (v128.or
              (local.get $out)
              (v128.and
                (i32x4.gt_s (local.get $size) (v128.const i32x4 0x7f800000 0x7f800000 0x7f800000 0x7f800000))
                (v128.or
                  (v128.and
                    (i32x4.shr_u (local.get $size) (i32.const 13))
                    (v128.const i32x4 0x3ff 0x3ff 0x3ff 0x3ff))
                  (v128.const i32x4 0x200 0x200 0x200 0x200)))))
          (local.set $out
            (v128.or
              (local.get $out)
              (v128.and
                (i32x4.shr_u (local.get $bits) (i32.const 16))
                (v128.const i32x4 0x8000 0x8000 0x8000 0x8000))))
          (if (i32.eqz (local.get $half))
            (then
              (local.set $low (local.get $out))
              (local.set $half (i32.const 1))
              (br $part))))
        (v128.store (local.get $to) (i16x8.narrow_i32x4_u (local.get $low) (local.get $out)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $next)))
    (call $pack (local.get $infinite) (local.get $zero)))

  (func (export "bf16ToF32") (param $from i32) (param $to i32) (param $count i32) (result i32)
    (local $end i32) (local $bits v128)
    (local.set $end (i32.add (local.get $from) (i32.shl (local.get $count) (i32.const 1))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $bits (v128.load (local.get $from)))
        (v128.store
          (local.get $to)
          (i32x4.shl (i32x4.extend_low_i16x8_u (local.get $bits)) (i32.const 16)))
        (v128.store offset=16
          (local.get $to)
          (i32x4.shl (i32x4.extend_high_i16x8_u (local.get $bits)) (i32.const 16)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 32)))
        (br $next)))
    (i32.const 0))

  (func (export "f16ToF32") (param $from i32) (param $to i32) (param $count i32) (result i32)
    (local $end i32) (local $bits v128)
    (local.set $end (i32.add (local.get $from) (i32.shl (local.get $count) (i32.const 1))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $bits (v128.load (local.get $from)))
        (v128.store (local.get $to) (call $widen (i32x4.extend_low_i16x8_u (local.get $bits))))
        (v128.store offset=16 (local.get $to) (call $widen (i32x4.extend_high_i16x8_u (local.get $bits))))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 32)))
        (br $next)))
    (i32.const 0))

  ;; Four float16 in the lower halves of lanes to float32.
  (func $widen (param $bits v128) (result v128)
    (local $size v128) (local $out v128)
    (local.set $size (v128.and (local.get $bits) (v128.const i32x4 0x7fff 0x7fff 0x7fff 0x7fff)))
    ;; Shifted into place it is too small by 2^112, subnormal or not.
    (local.set $out
      (f32x4.mul
        (i32x4.shl (local.get $size) (i32.const 13))
        (v128.const i32x4 0x77800000 0x77800000 0x77800000 0x77800000)))
    (local.set $out
      (v128.bitselect
        (v128.or
          (i32x4.shl (local.get $size) (i32.const 13))
          (v128.or
            (v128.const i32x4 0x7f800000 0x7f800000 0x7f800000 0x7f800000)
            ;; NaNs are made quiet.
            (v128.and
              (i32x4.gt_s (local.get $size) (v128.const i32x4 0x7c00 0x7c00 0x7c00 0x7c00))
              (v128.const i32x4 0x400000 0x400000 0x400000 0x400000))))
        (local.get $out)
        (i32x4.ge_s (local.get $size) (v128.const i32x4 0x7c00 0x7c00 0x7c00 0x7c00))))
    (v128.or
      (local.get $out)
      (i32x4.shl
        (v128.and (local.get $bits) (v128.const i32x4 0x8000 0x8000 0x8000 0x8000))
        (i32.const 16)))))
