#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| certstatus_fuzz_targets::session_ticket(data));
