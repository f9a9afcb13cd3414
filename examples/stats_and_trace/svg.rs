//! A trace as a picture: a row for each worker, a box for each task, and red where one has died.

use std::{error::Error, fmt::Write};

use serde_json::Value;

/// Of the rows, in pixels; and where they begin, behind the names.
const WIDTH: f64 = 760.0;
const ROW: f64 = 26.0;
const LEFT: f64 = 130.0;

/// A worker: its name and its events, as the trace has them.
struct Worker<'t> {
    pid: &'t Value,
    name: &'t str,
    events: Vec<&'t Value>,
}

/// The picture of a trace in Chrome's format, as [`trace_to`](multiprocess::PoolBuilder::trace_to) writes it.
pub(crate) fn picture(trace: &str) -> Result<String, Box<dyn Error>> {
    let events: Vec<Value> = serde_json::from_str(trace)?;
    let mut workers: Vec<Worker<'_>> = Vec::new();
    for event in &events {
        match (event["name"].as_str(), workers.iter_mut().find(|worker| worker.pid == &event["pid"])) {
            (Some("process_name"), _) => {
                let name = event["args"]["name"].as_str().unwrap_or_default();
                workers.push(Worker { pid: &event["pid"], name, events: Vec::new() });
            }
            (_, Some(worker)) => worker.events.push(event),
            // The end of the trace.
            (_, None) => {}
        }
    }
    let begin = |event: &Value| event["ts"].as_f64().unwrap_or_default();
    let length = |event: &Value| event["dur"].as_f64().unwrap_or_default();
    let all = || workers.iter().flat_map(|worker| &worker.events);
    let first = all().map(|event| begin(event)).fold(f64::INFINITY, f64::min);
    let last = all().map(|event| begin(event) + length(event)).fold(first, f64::max);
    let scale = WIDTH / (last - first).max(1.0);
    let at = |time: f64| LEFT + (time - first) * scale;

    let (width, height) = (LEFT + WIDTH + 20.0, ROW * (workers.len() + 2) as f64);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<rect width="{width}" height="{height}" fill="white"/>
"#
    );
    for (row, worker) in workers.iter().enumerate() {
        let top = ROW * (row as f64 + 0.5);
        writeln!(svg, r#"<text x="8" y="{:.1}">{}</text>"#, top + ROW * 0.6, escaped(worker.name))?;
        for event in &worker.events {
            let (x, index) = (at(begin(event)), &event["args"]["index"]);
            if event["name"] == "died" {
                let why = escaped(event["args"]["why"].as_str().unwrap_or_default());
                let height = ROW - 4.0;
                writeln!(
                    svg,
                    r##"<rect x="{:.1}" y="{top:.1}" width="5" height="{height}" fill="#d62728"><title>{why}</title></rect>"##,
                    x - 2.5
                )?;
                writeln!(svg, r##"<text x="{:.1}" y="{:.1}" fill="#d62728">died</text>"##, x + 6.0, top + ROW * 0.6)?;
            } else {
                let (wide, time) = ((length(event) * scale).max(0.5), length(event) / 1000.0);
                writeln!(
                    svg,
                    r##"<rect x="{x:.1}" y="{:.1}" width="{wide:.1}" height="{}" fill="#9ecae1" stroke="#3182bd" stroke-width="0.5"><title>task {index}: {time:.2} ms</title></rect>"##,
                    top + 3.0,
                    ROW - 10.0
                )?;
            }
        }
    }
    let bottom = height - ROW * 0.5;
    for fifth in 0..=5 {
        let time = first + (last - first) * f64::from(fifth) / 5.0;
        let anchor = ["start", "middle", "end"][usize::from(fifth > 0) + usize::from(fifth == 5)];
        let label = (time - first) / 1000.0;
        writeln!(svg, r#"<text x="{:.1}" y="{bottom:.1}" text-anchor="{anchor}">{label:.0} ms</text>"#, at(time))?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
