package dev.kernelalloc.arrow.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.execution.arrow.ArrowConverters;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import scala.jdk.javaapi.CollectionConverters;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Runs Spark in this JVM. No setting names our factory: Arrow discovers it. */
@DisplayName("Spark converts data frames in memory of the global allocator")
class SparkTest {

    private static final int ROWS = 100_000;
    private static final int BATCH_ROWS = 10_000;

    private static SparkSession spark;

    /** A batch, with the bytes in use while the task still holds its vectors. */
    private record Held(byte[] batch, long arrowBytes, long ourBytes) implements Serializable {}

    @BeforeAll
    static void start() {
        spark =
                SparkSession.builder()
                        .master("local[1]")
                        .config("spark.ui.enabled", false)
                        .config("spark.driver.host", "localhost")
                        .config("spark.sql.execution.arrow.maxRecordsPerBatch", BATCH_ROWS)
                        .config("spark.log.level", "WARN")
                        .getOrCreate();
    }

    @AfterAll
    static void stop() {
        spark.stop();
    }

    @Test
    @DisplayName("To Arrow and back a data frame is the same, and its vectors are our blocks")
    void frame_toArrowAndBack_isTheSameAndUsesOurBlocks() {
        Dataset<Row> frame =
                spark.range(ROWS)
                        .selectExpr("id", "id * 0.5D AS half", "concat('row ', id) AS row");

        List<byte[]> batches = new ArrayList<>();
        for (Held held : toArrow(frame)) {
            assertThat(held.arrowBytes()).isPositive();
            assertThat(held.ourBytes()).isGreaterThanOrEqualTo(held.arrowBytes());
            batches.add(held.batch());
        }
        assertThat(batches).hasSize(ROWS / BATCH_ROWS);

        Dataset<Row> back =
                ArrowConverters.toDataFrame(
                        CollectionConverters.asScala(batches.iterator()),
                        frame.schema().json(),
                        spark);
        assertThat(sums(back)).isEqualTo(sums(frame));
        assertThat(back.exceptAll(frame).isEmpty()).isTrue();

        assertThat(ArrowUtils.rootAllocator().getAllocatedMemory()).isZero();
        assertThat(KernelAllocator.global().stats().liveBytes()).isZero();
    }

    private static List<Held> toArrow(Dataset<Row> frame) {
        return ((org.apache.spark.sql.classic.Dataset<Row>) frame)
                .toArrowBatchRdd()
                .toJavaRDD()
                .mapPartitions(SparkTest::held)
                .collect();
    }

    private static Iterator<Held> held(Iterator<byte[]> batches) {
        List<Held> held = new ArrayList<>();
        while (batches.hasNext()) {
            byte[] batch = batches.next();
            held.add(
                    new Held(
                            batch,
                            ArrowUtils.rootAllocator().getAllocatedMemory(),
                            KernelAllocator.global().stats().liveBytes()));
        }
        return held.iterator();
    }

    private static Row sums(Dataset<Row> frame) {
        return frame.selectExpr("count(*)", "sum(id)", "sum(half)", "sum(length(row))").head();
    }
}
