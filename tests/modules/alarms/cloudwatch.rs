//! How CloudWatch evaluates an alarm, as far as its user guide says so and the modules' alarms need it: statistics by
//! period, metric math, M of N datapoints, missing data. Of a metric there is one value a minute, or none.
//! `treat_missing_data = "ignore"`, anomaly detection and datapoints that come late are not here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::math;

/// Who is asked for a value: the dimension's instance, the cluster and the role in it (`tenants/WRITER`), or the resource ID
/// for a counter of Performance Insights; the metric; the minute.
pub type World<'a> = dyn Fn(&str, &str, usize) -> Option<f64> + 'a;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ok,
    Alarm,
    InsufficientData,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    Breaching,
    NotBreaching,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    Metric { instance: String, metric: String, statistic: String },
    Expression(String),
}

#[derive(Clone, Debug)]
pub struct Alarm {
    pub comparison: Comparison,
    pub threshold: f64,
    pub evaluation_periods: usize,
    pub datapoints: usize,
    pub missing: MissingData,
    /// Minutes of one datapoint.
    pub period: usize,
    queries: BTreeMap<String, Query>,
    result: String,
}

fn dimension(of: &Value) -> String {
    let names = ["DBInstanceIdentifier", "DBClusterIdentifier", "Role"];
    names.iter().filter_map(|name| of[name].as_str()).collect::<Vec<_>>().join("/")
}

impl Alarm {
    /// Of an `aws_cloudwatch_metric_alarm` in a plan, its values.
    pub fn planned(values: &Value) -> Alarm {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |name: &str| values[name].as_u64().unwrap_or_else(|| panic!("{name} of {values:#}")) as usize;
        let metric = |values: &Value, statistic: String| Query::Metric {
            instance: dimension(&values["dimensions"]),
            metric: text(&values["metric_name"]),
            statistic,
        };
        let (mut queries, mut result, mut periods) = (BTreeMap::new(), "result".to_owned(), Vec::new());
        if values["metric_name"].is_string() {
            let of = if values["statistic"].is_string() { "statistic" } else { "extended_statistic" };
            queries.insert(result.clone(), metric(values, text(&values[of])));
            periods.push(count("period"));
        }
        for query in values["metric_query"].as_array().into_iter().flatten() {
            let of_metric = &query["metric"][0];
            periods
                .extend([query, of_metric].iter().filter_map(|it| it["period"].as_u64()).map(|period| period as usize));
            let one = match query["expression"].as_str() {
                Some(expression) => Query::Expression(expression.to_owned()),
                None => metric(of_metric, text(&of_metric["stat"])),
            };
            if query["return_data"] == true {
                result = text(&query["id"]);
            }
            queries.insert(text(&query["id"]), one);
        }
        periods.dedup();
        assert_eq!(periods.len(), 1, "an alarm has one period: {values:#}");
        Alarm {
            comparison: match values["comparison_operator"].as_str() {
                Some("GreaterThanThreshold") => Comparison::Greater,
                Some("GreaterThanOrEqualToThreshold") => Comparison::GreaterOrEqual,
                Some("LessThanThreshold") => Comparison::Less,
                Some("LessThanOrEqualToThreshold") => Comparison::LessOrEqual,
                other => panic!("{other:?} is not evaluated here"),
            },
            threshold: values["threshold"].as_f64().expect("a threshold"),
            evaluation_periods: count("evaluation_periods"),
            datapoints: count("datapoints_to_alarm"),
            missing: match values["treat_missing_data"].as_str() {
                Some("breaching") => MissingData::Breaching,
                Some("notBreaching") => MissingData::NotBreaching,
                Some("missing") => MissingData::Missing,
                other => panic!("{other:?} is not evaluated here"),
            },
            period: periods[0] / 60,
            queries,
            result,
        }
    }

    /// The state after each period of the first `minutes`.
    pub fn states(&self, world: &World, minutes: usize) -> Vec<State> {
        let points: Vec<_> = (0..minutes / self.period).map(|at| self.datapoint(&self.result, world, at)).collect();
        let range = self.range();
        (range..=points.len())
            .map(|end| {
                let breaching = points[end - range..end].iter().map(|point| point.map(|value| self.breaches(value)));
                self.state(&breaching.collect::<Vec<_>>())
            })
            .collect()
    }

    /// CloudWatch looks a little further back than it must; how far, it does not say. Its examples have two more.
    fn range(&self) -> usize {
        self.evaluation_periods + 2
    }

    fn breaches(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Greater => value > self.threshold,
            Comparison::GreaterOrEqual => value >= self.threshold,
            Comparison::Less => value < self.threshold,
            Comparison::LessOrEqual => value <= self.threshold,
        }
    }

    fn datapoint(&self, id: &str, world: &World, at: usize) -> Option<f64> {
        let minutes = at * self.period..(at + 1) * self.period;
        match self.queries.get(id).unwrap_or_else(|| panic!("there is no query {id}")) {
            Query::Metric { instance, metric, statistic } => {
                statistics(statistic, minutes.filter_map(|minute| world(instance, metric, minute)).collect())
            }
            Query::Expression(text) => {
                let counter = |resource: &str, counter: &str| {
                    statistics(
                        "Average",
                        minutes.clone().filter_map(|minute| world(resource, counter, minute)).collect(),
                    )
                };
                math::evaluate(text, &|id| self.datapoint(id, world, at), &|id| self.rate(id, world, at), &counter)
            }
        }
    }

    /// How much it has changed in a second since the last datapoint before this one that is not missing.
    fn rate(&self, id: &str, world: &World, at: usize) -> Option<f64> {
        let now = self.datapoint(id, world, at)?;
        let mut earlier = (at.saturating_sub(self.range())..at).rev();
        let (periods, then) = earlier.find_map(|then| Some((at - then, self.datapoint(id, world, then)?)))?;
        Some((now - then) / (periods * self.period * 60) as f64)
    }

    /// Of the datapoints in the evaluation range, oldest first: whether each is past the threshold, or missing.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>
    fn state(&self, range: &[Option<bool>]) -> State {
        let (n, m) = (self.evaluation_periods, self.datapoints);
        let real: Vec<bool> = range.iter().copied().flatten().collect();
        let breaching = |points: &[bool]| points.iter().filter(|breaching| **breaching).count();
        let alarm_if = |alarm: bool| if alarm { State::Alarm } else { State::Ok };
        // Enough of them is there: the latest ones count, and those that are missing do not.
        if real.len() >= n {
            return alarm_if(breaching(&real[real.len() - n..]) >= m);
        }
        match self.missing {
            MissingData::Breaching => alarm_if(breaching(&real) + n - real.len() >= m),
            MissingData::NotBreaching => alarm_if(breaching(&real) >= m),
            MissingData::Missing if real.is_empty() => State::InsufficientData,
            // Nothing but breaching ones, the oldest of them old enough: there is nothing to wait for.
            MissingData::Missing => {
                let recent = &range[range.len() - n..];
                let oldest = recent.iter().position(|point| *point == Some(true)).map_or(0, |at| n - at);
                alarm_if(breaching(&real) >= m || (breaching(&real) == real.len() && oldest >= m))
            }
        }
    }
}

fn statistics(name: &str, mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let sum: f64 = values.iter().sum();
    Some(match name {
        "Average" => sum / values.len() as f64,
        "Sum" => sum,
        "SampleCount" => values.len() as f64,
        "Minimum" => values[0],
        "Maximum" => values[values.len() - 1],
        percentile => {
            let per_cent: f64 = percentile.strip_prefix('p').and_then(|it| it.parse().ok()).expect("a statistic");
            values[((per_cent / 100.0 * values.len() as f64).ceil() as usize).max(1) - 1]
        }
    })
}

/// The tables of CloudWatch's user guide: `0` is within the threshold, `X` past it, `-` missing, the latest on the right.
#[test]
fn missing_data_counts_as_the_user_guide_says() {
    use State::{Alarm as A, InsufficientData as I, Ok as O};
    let check = |m: usize, range: &str, expected: [State; 3]| {
        let points: Vec<Option<bool>> = range.split(' ').map(|point| (point != "-").then_some(point == "X")).collect();
        for (missing, expected) in
            [MissingData::Missing, MissingData::Breaching, MissingData::NotBreaching].into_iter().zip(expected)
        {
            let alarm = Alarm {
                comparison: Comparison::Greater,
                threshold: 0.0,
                evaluation_periods: 3,
                datapoints: m,
                missing,
                period: 1,
                queries: BTreeMap::new(),
                result: String::new(),
            };
            assert_eq!(alarm.state(&points), expected, "{range}, {m} of 3, {missing:?}");
        }
    };
    check(3, "0 - X - X", [O, O, O]);
    check(3, "0 - - - -", [O, O, O]);
    check(3, "- - - - -", [I, A, O]);
    check(3, "0 X X - X", [A, A, A]);
    check(3, "- - X - -", [A, A, O]);
    check(3, "- - - - X", [O, A, O]);
    check(2, "0 - X - X", [A, A, A]);
    check(2, "0 0 X 0 X", [A, A, A]);
    check(2, "0 - X - -", [O, A, O]);
    check(2, "- - - - 0", [O, A, O]);
    check(2, "- - - X -", [A, A, O]);
}
