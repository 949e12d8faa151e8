// Writes dead letters as Spring Kafka does: its own recoverer, without a listener around it.
// Arguments: bootstrap servers, source topic, dead-letter topic, then for each letter its partition, offset and value.

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.ListenerExecutionFailedException;

class SpringRecoverer {
    public static void main(String[] args) {
        Map<String, Object> settings = new HashMap<>();
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        settings.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        var factory = new DefaultKafkaProducerFactory<byte[], byte[]>(settings);
        var template = new KafkaTemplate<>(factory);
        var recoverer = new DeadLetterPublishingRecoverer(template, (record, error) -> new TopicPartition(args[2], 0));
        recoverer.setFailIfSendResultIsError(true);
        for (int at = 3; at < args.length; at += 3) {
            var headers = new RecordHeaders();
            headers.add("own", new byte[] {(byte) 0xff, 0});
            byte[] value = args[at + 2].getBytes(StandardCharsets.UTF_8);
            var record = new ConsumerRecord<byte[], byte[]>(args[1], Integer.parseInt(args[at]), Long.parseLong(args[at + 1]),
                    1_700_000_000_000L, TimestampType.CREATE_TIME, 3, value.length, "key".getBytes(StandardCharsets.UTF_8),
                    value, headers, Optional.empty());
            var cause = new IllegalStateException("no customer");
            recoverer.accept(record, null, new ListenerExecutionFailedException("Listener failed", "billing", cause));
        }
        template.flush();
        factory.destroy();
    }
}
