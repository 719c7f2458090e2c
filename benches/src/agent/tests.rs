//! A few hundred certificates: that all of it runs, and that what grows with them grows no faster.

use super::*;

#[test]
fn hundreds_of_certificates_are_within_the_bounds_of_a_hundred_thousand() {
    let size = 400;
    let one = Figures::of(size, Duration::from_secs(1), alone());
    // A busy machine is no defect: CPU time is bounded, and not the clock's.
    assert!(one.start_cpu < 3.0, "start: {} s of CPU", one.start_cpu);
    assert!(one.idle < 0.5, "idle: {} of a core", one.idle);
    assert!(one.peak < 128 << 20, "{} bytes at the highest", one.peak);
    assert!(one.log < 8 << 10, "{} bytes of log", one.log);
    // In full they are more than half a megabyte; what is shown to people is not.
    assert!(one.answers[0].bytes > size * 500, "{} bytes", one.answers[0].bytes);
    assert!(one.answers[1].bytes < one.answers[0].bytes * 2 / 3, "half of them");
    assert!(one.answers[2].bytes < 4 << 10, "none of them");
    assert!(one.answers[3].bytes < 32 << 10, "no metric has a label per certificate");
    assert!(one.check.report < 4 << 10, "{} bytes of report", one.check.report);
    assert!(one.warm.report < 4 << 10, "{} bytes of report", one.warm.report);
}
